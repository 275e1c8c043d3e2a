SELECT queue, sum(number) FROM treadle_done WHERE slot BETWEEN :slot - 6 AND :slot GROUP BY queue
