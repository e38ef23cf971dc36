"""`opsledger up` and its relatives: the whole system as supervised child processes of one terminal."""
