-- Only an owner that is enrolled: of one that left nothing is to stay.
INSERT INTO treadle_serving (owner, queues) SELECT owner, :queues FROM treadle_owners WHERE owner = :owner
ON CONFLICT (owner) DO UPDATE SET queues = excluded.queues
