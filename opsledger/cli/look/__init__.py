"""How things look in a terminal: words, tables, live progress. Refuses to know where the data came from."""
