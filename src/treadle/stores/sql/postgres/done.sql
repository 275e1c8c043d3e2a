SELECT d.queue, (sum(d.number) / (60 + extract(epoch FROM now()) - 10 * this.slot))::double precision
FROM (SELECT floor(extract(epoch FROM now()) / 10)::bigint AS slot) AS this
JOIN {schema}.treadle_done d ON d.slot BETWEEN this.slot - 6 AND this.slot
GROUP BY d.queue, this.slot
