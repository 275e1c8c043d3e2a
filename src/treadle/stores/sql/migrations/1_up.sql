-- Treadle's own tables. All are logged: an owner whose row a crash of the server emptied would count as dead.
-- Instants are in UTC by the server's clock. `lease` is in seconds; `fenced_at` is set when the owner was declared dead;
-- `boot` is when the server had started that took its last beat.
CREATE TABLE treadle_owners (
  owner text PRIMARY KEY,
  lease double precision NOT NULL,
  beat timestamp NOT NULL DEFAULT timezone('UTC', clock_timestamp()),
  fenced_at timestamp,
  boot timestamp NOT NULL DEFAULT timezone('UTC', pg_postmaster_start_time())
) WITH (fillfactor = 50);
-- The queues that an owner serves, and what else it shows of that, as JSON.
CREATE TABLE treadle_serving (owner text PRIMARY KEY, queues text[] NOT NULL, shown text NOT NULL) WITH (fillfactor = 50);
-- How many jobs of a queue were completed in each ten seconds since the epoch; the last minute is kept.
CREATE TABLE treadle_done (slot bigint NOT NULL, queue text NOT NULL, number bigint NOT NULL, PRIMARY KEY (slot, queue));
-- Jobs that were running when their worker died: they run alone. `deaths` counts those that died while it ran alone.
CREATE TABLE treadle_suspects (job_id bigint PRIMARY KEY, deaths integer NOT NULL);
-- Values of recorded jobs, as JSON: other programs prune their jobs sooner than a value may be asked for.
CREATE TABLE treadle_results (
  job_id bigint PRIMARY KEY,
  value bytea NOT NULL,
  stored_at timestamp NOT NULL DEFAULT timezone('UTC', clock_timestamp())
);
-- Wishes to end a running job; each is bound to the claim that ran when it was made.
CREATE TABLE treadle_cancels (job_id bigint NOT NULL, claim text NOT NULL, PRIMARY KEY (job_id, claim));
-- Settlements that left their job alive, kept an hour: a repeat of one is answered as such although the job went on.
CREATE TABLE treadle_settled (
  job_id bigint NOT NULL,
  claim text NOT NULL,
  settled_at timestamp NOT NULL DEFAULT timezone('UTC', clock_timestamp()),
  PRIMARY KEY (job_id, claim)
);
-- The queues that are paused.
CREATE TABLE treadle_queues (queue text PRIMARY KEY, paused_at timestamp NOT NULL);
-- What workers are told at once, as JSON; kept for some minutes.
CREATE TABLE treadle_orders (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  told text NOT NULL,
  told_at timestamp NOT NULL DEFAULT timezone('UTC', now())
);
-- The crontab. `schedule` is what of `definition` says when it ticks; `seen_at` is null where no code declares the entry,
-- and `changed` says that a person made it say something else than the code.
CREATE TABLE treadle_crons (
  name text PRIMARY KEY,
  definition json NOT NULL,
  schedule text NOT NULL,
  last_tick timestamp NOT NULL,
  paused boolean NOT NULL DEFAULT false,
  changed boolean NOT NULL DEFAULT false,
  seen_at timestamp
);
-- The keys of unique jobs; with the job 0 a key is taken by who inserts. Whether a job counts is read from its own row.
CREATE TABLE treadle_unique (key text NOT NULL, job_id bigint NOT NULL, PRIMARY KEY (key, job_id));
CREATE INDEX treadle_unique_jobs ON treadle_unique (job_id) WHERE job_id > 0;
CREATE INDEX treadle_settled_at ON treadle_settled (settled_at);
COMMENT ON TABLE treadle_owners IS '1'
