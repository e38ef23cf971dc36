"""The pure core: what a task is, what may happen to it, and what follows. No clock, no I/O, no randomness."""
