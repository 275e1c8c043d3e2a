INSERT INTO treadle_suspects (job_id, deaths) VALUES (?, ?) ON CONFLICT (job_id) DO UPDATE SET deaths = excluded.deaths
