-- Peers want running jobs to end. Who of ours runs one is told, also where the peer has made the row cancelled already.
WITH given AS (
  SELECT j.id, o.owner, j.attempted_by[3] AS claim, j.state = 'executing' AS runs
  FROM {schema}.oban_jobs j JOIN {schema}.treadle_owners o ON o.owner = j.attempted_by[1]
  WHERE j.id = ANY (%(ids)s::bigint[]) AND j.state IN ('executing', 'cancelled') AND j.attempted_by[3] IS NOT NULL
    AND o.fenced_at IS NULL
),
asked AS (
  INSERT INTO {schema}.treadle_cancels (job_id, claim) SELECT id, claim FROM given WHERE runs
  ON CONFLICT (job_id, claim) DO NOTHING
)
SELECT DISTINCT owner FROM given
