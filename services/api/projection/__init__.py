"""The view: SQL rows that are a fold of the log, and what reads them. Nothing here is the truth about a task."""
