"""The REST side of the command line: where the API is, how to ask it, and what its answers mean."""
