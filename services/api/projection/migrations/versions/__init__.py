"""One migration a file, one concern each."""
