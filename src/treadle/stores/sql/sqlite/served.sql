SELECT DISTINCT value FROM treadle_serving, json_each(shown, '$.queues')
