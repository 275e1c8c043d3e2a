-- What lies ahead was written before the clock was set back.
DELETE FROM treadle_done WHERE slot < :slot - 6 OR slot > :slot
