"""What goes over NATS besides the log: the log check and published status events."""
