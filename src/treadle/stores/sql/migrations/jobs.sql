-- Oban's job table as Elixir's migrations of version 14 leave it (without the GIN indexes on args and meta), with the
-- indexes, the storage options and the tables that `oban install` of oban-py 0.7 adds: Elixir's Oban, oban-py and
-- treadle start on it without a migration of their own. Somebody else's oban_jobs is left as it is, and nothing is
-- made beside it.
DO $treadle$
BEGIN
  IF to_regclass(format('%I.oban_jobs', current_schema())) IS NOT NULL THEN
    RETURN;
  END IF;

  IF to_regtype(format('%I.oban_job_state', current_schema())) IS NULL THEN
    CREATE TYPE oban_job_state AS ENUM (
      'available', 'suspended', 'scheduled', 'executing', 'retryable', 'completed', 'discarded', 'cancelled'
    );
  END IF;

  CREATE TABLE oban_jobs (
    id bigserial PRIMARY KEY,
    state oban_job_state NOT NULL DEFAULT 'available',
    queue text NOT NULL DEFAULT 'default',
    worker text NOT NULL,
    args jsonb NOT NULL DEFAULT '{}',
    errors jsonb[] NOT NULL DEFAULT ARRAY[]::jsonb[],
    attempt integer NOT NULL DEFAULT 0,
    max_attempts integer NOT NULL DEFAULT 20,
    inserted_at timestamp NOT NULL DEFAULT timezone('UTC', now()),
    scheduled_at timestamp NOT NULL DEFAULT timezone('UTC', now()),
    attempted_at timestamp,
    completed_at timestamp,
    attempted_by text[],
    discarded_at timestamp,
    priority integer NOT NULL DEFAULT 0,
    tags text[] DEFAULT ARRAY[]::text[],
    meta jsonb DEFAULT '{}',
    cancelled_at timestamp,
    CONSTRAINT attempt_range CHECK (attempt >= 0 AND attempt <= max_attempts),
    CONSTRAINT positive_max_attempts CHECK (max_attempts > 0),
    CONSTRAINT queue_length CHECK (char_length(queue) > 0 AND char_length(queue) < 128),
    CONSTRAINT worker_length CHECK (char_length(worker) > 0 AND char_length(worker) < 128)
  ) WITH (
    fillfactor = 85,
    autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 50,
    autovacuum_analyze_scale_factor = 0.02, autovacuum_analyze_threshold = 100,
    autovacuum_vacuum_cost_limit = 2000, autovacuum_vacuum_cost_delay = 1,
    autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_vacuum_insert_threshold = 1000
  );
  ALTER TABLE oban_jobs ADD CONSTRAINT non_negative_priority CHECK (priority >= 0) NOT VALID;
  -- What Elixir's migrations read and write instead of a table of versions.
  COMMENT ON TABLE oban_jobs IS '14';

  CREATE INDEX oban_jobs_state_queue_priority_scheduled_at_id_index
    ON oban_jobs (state, queue, priority, scheduled_at, id) WITH (fillfactor = 90);
  CREATE INDEX oban_jobs_state_cancelled_at_index ON oban_jobs (state, cancelled_at);
  CREATE INDEX oban_jobs_state_discarded_at_index ON oban_jobs (state, discarded_at);
  CREATE INDEX oban_jobs_staging_index
    ON oban_jobs (scheduled_at, id) INCLUDE (queue) WHERE state IN ('scheduled', 'retryable');
  CREATE INDEX oban_jobs_completed_at_index ON oban_jobs (completed_at) WHERE state = 'completed';
  CREATE INDEX oban_jobs_cancelled_at_index ON oban_jobs (cancelled_at) WHERE state = 'cancelled';
  CREATE INDEX oban_jobs_discarded_at_index ON oban_jobs (discarded_at) WHERE state = 'discarded';

  CREATE UNLOGGED TABLE IF NOT EXISTS oban_peers (
    name text PRIMARY KEY,
    node text NOT NULL,
    started_at timestamp NOT NULL,
    expires_at timestamp NOT NULL
  );
  CREATE UNLOGGED TABLE IF NOT EXISTS oban_leaders (
    name text PRIMARY KEY DEFAULT 'oban',
    node text NOT NULL,
    elected_at timestamp NOT NULL,
    expires_at timestamp NOT NULL
  );
  CREATE UNLOGGED TABLE IF NOT EXISTS oban_producers (
    uuid uuid PRIMARY KEY,
    name text NOT NULL DEFAULT 'oban',
    node text NOT NULL,
    queue text NOT NULL,
    meta jsonb NOT NULL DEFAULT '{}',
    started_at timestamp NOT NULL DEFAULT timezone('UTC', now()),
    updated_at timestamp NOT NULL DEFAULT timezone('UTC', now())
  );
END
$treadle$
