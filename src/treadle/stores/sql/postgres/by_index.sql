-- Until the transaction ends no plan collects rows before it stops, however few it thinks there are.
SELECT set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true)
