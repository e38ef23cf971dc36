"""What goes over NATS besides the log: commands in and answers out, the log check, nudges, published status events."""
