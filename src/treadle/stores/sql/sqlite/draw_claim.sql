SELECT lower(hex(randomblob(6)))
