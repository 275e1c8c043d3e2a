DROP TABLE treadle_owners, treadle_serving, treadle_done, treadle_suspects, treadle_cancels, treadle_settled
