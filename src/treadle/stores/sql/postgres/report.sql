-- Only an owner that is enrolled is shown: of one that left nothing is to stay. Slots that lie ahead were written before
-- the clock was set back.
WITH this AS (SELECT floor(extract(epoch FROM now()) / 10)::bigint AS slot),
shown AS (
  INSERT INTO {schema}.treadle_serving (owner, queues, shown)
  SELECT owner, %(queues)s::text[], %(shown)s FROM {schema}.treadle_owners WHERE owner = %(owner)s
  ON CONFLICT (owner) DO UPDATE SET queues = excluded.queues, shown = excluded.shown
),
old AS (
  DELETE FROM {schema}.treadle_done d USING this WHERE d.slot < this.slot - 6 OR d.slot > this.slot
)
INSERT INTO {schema}.treadle_done AS d (slot, queue, number)
SELECT this.slot, g.queue, g.number FROM this CROSS JOIN unnest(%(names)s::text[], %(numbers)s::bigint[]) AS g(queue, number)
ORDER BY g.queue
ON CONFLICT (slot, queue) DO UPDATE SET number = d.number + excluded.number
