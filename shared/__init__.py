"""What both services share: the task core, the wire, the log, the queue. Nothing else."""
