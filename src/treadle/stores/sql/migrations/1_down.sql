DROP TABLE treadle_owners, treadle_serving, treadle_done, treadle_suspects, treadle_results, treadle_cancels,
  treadle_settled, treadle_queues, treadle_crons, treadle_orders, treadle_unique
