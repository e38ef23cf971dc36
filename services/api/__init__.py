"""The API: everything that faces people and producers. Knows no operation and starts no work itself."""
