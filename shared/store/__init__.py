"""Buckets, result files and LOGS: what is kept beside the log and the queue. Nothing here is the truth about a task."""
