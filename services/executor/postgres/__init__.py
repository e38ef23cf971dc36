"""What operations on a PostgreSQL server have in common: a session, names, marks, states to restore, its programs."""
