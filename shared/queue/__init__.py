"""The queue: a cache of the log that holds what is ready to run. The only writer of the stream WORK."""
