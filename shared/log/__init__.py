"""The log: the truth about every task, and the only writer of the stream TASKS."""
