"""What every process needs to run: connections, logging, the clock. Knows nothing of tasks."""
