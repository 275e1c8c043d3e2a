-- Deletes an entry.
-- KEYS 1 to 6 as for every script of the crontab
-- ARGV 1 name
-- Returns 1, or 0 where there is none of this name.

return no_crontab() or remove_cron(ARGV[1])
