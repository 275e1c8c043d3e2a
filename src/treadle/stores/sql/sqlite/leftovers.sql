-- Both tables are empty nearly always; then a batch need not look at them again.
SELECT EXISTS (SELECT 1 FROM treadle_suspects), EXISTS (SELECT 1 FROM treadle_cancels)
