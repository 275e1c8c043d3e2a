-- Only an owner that is enrolled: of one that left nothing is to stay.
INSERT INTO treadle_serving (owner, shown) SELECT owner, :shown FROM treadle_owners WHERE owner = :owner
ON CONFLICT (owner) DO UPDATE SET shown = excluded.shown
