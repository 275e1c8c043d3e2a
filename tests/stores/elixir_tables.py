"""The job table as each version of Elixir's migrations leaves it, written from what is known of them."""

# Names and order of the columns as Elixir's own migrations of version 14 leave them.
NEWEST = 14

_STATES = ("available", "scheduled", "executing", "retryable", "completed", "discarded")


def elixir_table(version: int, schema: str = "public") -> str:
    """Statements that make the schema, its table and what stands beside it; `version` is from 8 to 14."""
    later = "meta jsonb DEFAULT '{}', cancelled_at timestamp," if version >= 9 else ""
    priority = (
        "non_negative_priority CHECK (priority >= 0)"
        if version >= 12
        else "priority_range CHECK (priority BETWEEN 0 AND 3)"
    )
    return f"""
    CREATE SCHEMA IF NOT EXISTS "{schema}";
    CREATE TYPE "{schema}".oban_job_state AS ENUM ({", ".join(f"'{state}'" for state in _states(version))});
    CREATE TABLE "{schema}".oban_jobs (
      id bigserial PRIMARY KEY,
      state "{schema}".oban_job_state NOT NULL DEFAULT 'available',
      queue text NOT NULL DEFAULT 'default',
      worker text NOT NULL,
      args jsonb NOT NULL{" DEFAULT '{}'" if version >= 10 else ""},
      errors jsonb[] NOT NULL DEFAULT ARRAY[]::jsonb[],
      attempt integer NOT NULL DEFAULT 0,
      max_attempts integer NOT NULL DEFAULT 20,
      inserted_at timestamp NOT NULL DEFAULT timezone('UTC', now()),
      scheduled_at timestamp NOT NULL DEFAULT timezone('UTC', now()),
      attempted_at timestamp, completed_at timestamp, attempted_by text[], discarded_at timestamp,
      priority integer{" NOT NULL" if version >= 10 else ""} DEFAULT 0,
      tags text[] DEFAULT ARRAY[]::text[],
      {later}
      CONSTRAINT queue_length CHECK (char_length(queue) > 0 AND char_length(queue) < 128),
      CONSTRAINT worker_length CHECK (char_length(worker) > 0 AND char_length(worker) < 128),
      CONSTRAINT attempt_range CHECK (attempt BETWEEN 0 AND max_attempts),
      CONSTRAINT positive_max_attempts CHECK (max_attempts > 0),
      CONSTRAINT {priority}
    );
    COMMENT ON TABLE "{schema}".oban_jobs IS '{version}';
    {"".join(_beside(version, schema))}
    """


def _states(version: int) -> list[str]:
    states = [*_STATES, *(["cancelled"] if version >= 9 else [])]
    return states[:1] + (["suspended"] if version >= 14 else []) + states[1:]


def _beside(version: int, schema: str) -> list[str]:
    jobs = f'"{schema}".oban_jobs'
    columns = (
        "state, queue, priority, scheduled_at, id" if version >= 10 else "queue, state, priority, scheduled_at, id"
    )
    name = f"oban_jobs_{columns.replace(', ', '_')}_index"
    made = [f"CREATE INDEX {name} ON {jobs} ({columns});"]
    if version >= 10:
        made += [
            f"CREATE INDEX oban_jobs_{column}_index ON {jobs} USING gin ({column});" for column in ("args", "meta")
        ]
    if version >= 11:
        made.append(
            f'CREATE UNLOGGED TABLE "{schema}".oban_peers (name text PRIMARY KEY, node text NOT NULL, '
            f"started_at timestamp NOT NULL, expires_at timestamp NOT NULL);"
        )
    if version >= 13:
        made += [
            f"CREATE INDEX oban_jobs_state_{column}_index ON {jobs} (state, {column});"
            for column in ("cancelled_at", "discarded_at")
        ]
    return made if version >= 12 else [*made, _trigger(schema)]


def _trigger(schema: str) -> str:
    """What told of inserts before version 12."""
    return f"""
    CREATE FUNCTION "{schema}".oban_jobs_notify() RETURNS trigger AS $$
    BEGIN
      IF NEW.state = 'available' THEN
        PERFORM pg_notify('{schema}.oban_insert', json_build_object('queue', NEW.queue)::text);
      END IF;
      RETURN NULL;
    END;
    $$ LANGUAGE plpgsql;
    CREATE TRIGGER oban_notify AFTER INSERT ON "{schema}".oban_jobs
      FOR EACH ROW EXECUTE FUNCTION "{schema}".oban_jobs_notify();
    """
