-- The table of Oban's Lite engine (Elixir, migration 1), as its migration makes it, and treadle's own tables beside it.
-- Every statement is harmless where the thing exists.
CREATE TABLE IF NOT EXISTS oban_jobs (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  state TEXT DEFAULT 'available' NOT NULL,
  queue TEXT DEFAULT 'default' NOT NULL,
  worker TEXT NOT NULL,
  args JSON DEFAULT ('{}') NOT NULL,
  meta JSON DEFAULT ('{}') NOT NULL,
  tags JSON DEFAULT ('[]') NOT NULL,
  errors JSON DEFAULT ('[]') NOT NULL,
  attempt INTEGER DEFAULT 0 NOT NULL,
  max_attempts INTEGER DEFAULT 20 NOT NULL,
  priority INTEGER DEFAULT 0 NOT NULL,
  inserted_at TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ','now')) NOT NULL,
  scheduled_at TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ','now')) NOT NULL,
  attempted_at TEXT,
  attempted_by JSON DEFAULT ('[]') NOT NULL,
  cancelled_at TEXT,
  completed_at TEXT,
  discarded_at TEXT
);
CREATE INDEX IF NOT EXISTS oban_jobs_state_queue_priority_scheduled_at_id_index
  ON oban_jobs (state, queue, priority, scheduled_at, id);
-- Oban's index cannot be ranged by time over all queues: without this one, staging would read every scheduled job each second.
CREATE INDEX IF NOT EXISTS treadle_jobs_due ON oban_jobs (scheduled_at, id) WHERE state IN ('scheduled', 'retryable');
-- `lease` and `beat` are seconds of the steady clock of that boot; `fenced_at` is set when the owner was declared dead.
CREATE TABLE IF NOT EXISTS treadle_owners (
  owner TEXT PRIMARY KEY, boot TEXT NOT NULL, lease REAL NOT NULL, beat REAL NOT NULL, fenced_at TEXT
) WITHOUT ROWID;
-- What an owner serves, as JSON.
CREATE TABLE IF NOT EXISTS treadle_serving (owner TEXT PRIMARY KEY, shown TEXT NOT NULL) WITHOUT ROWID;
-- The queues that are paused: nothing of them is claimed.
CREATE TABLE IF NOT EXISTS treadle_queues (queue TEXT PRIMARY KEY, paused_at TEXT NOT NULL) WITHOUT ROWID;
-- What workers are told at once, as JSON; kept for some minutes. AUTOINCREMENT: an id that was seen never comes again.
CREATE TABLE IF NOT EXISTS treadle_orders (id INTEGER PRIMARY KEY AUTOINCREMENT, told BLOB NOT NULL, told_at TEXT NOT NULL);
-- How many jobs of a queue were completed in each ten seconds since the epoch; the last minute is kept.
CREATE TABLE IF NOT EXISTS treadle_done (
  slot INTEGER NOT NULL, queue TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (slot, queue)
) WITHOUT ROWID;
-- Jobs that were running when their worker died: they run alone. `deaths` counts those that died while it ran alone.
CREATE TABLE IF NOT EXISTS treadle_suspects (job_id INTEGER PRIMARY KEY, deaths INTEGER NOT NULL);
-- Values of recorded jobs, as JSON.
CREATE TABLE IF NOT EXISTS treadle_results (job_id INTEGER PRIMARY KEY, value BLOB NOT NULL, stored_at TEXT NOT NULL);
-- Wishes to end a running job; each is bound to the claim that ran when it was made.
CREATE TABLE IF NOT EXISTS treadle_cancels (job_id INTEGER NOT NULL, claim TEXT NOT NULL, PRIMARY KEY (job_id, claim)) WITHOUT ROWID;
-- Settlements that left their job alive, kept an hour: a repeat of one is answered as such although the job went on.
CREATE TABLE IF NOT EXISTS treadle_settled (
  job_id INTEGER NOT NULL, claim TEXT NOT NULL, settled_at TEXT NOT NULL, PRIMARY KEY (job_id, claim)
) WITHOUT ROWID;
-- The crontab. `schedule` is what of `definition` says when it ticks, `last_tick` seconds since the epoch; `seen_at` is
-- null where no code declares the entry, and `changed` says that a person made it say something else than the code.
CREATE TABLE IF NOT EXISTS treadle_crons (
  name TEXT PRIMARY KEY, definition JSON NOT NULL, schedule TEXT NOT NULL, last_tick INTEGER NOT NULL,
  paused INTEGER DEFAULT 0 NOT NULL, changed INTEGER DEFAULT 0 NOT NULL, seen_at TEXT
) WITHOUT ROWID;
-- The keys of unique jobs. Whether a job still counts is read from its own row: no lock is kept that could stay behind.
CREATE TABLE IF NOT EXISTS treadle_unique (job_id INTEGER PRIMARY KEY, key TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS treadle_unique_key ON treadle_unique (key)
