"""The `opsledger task` commands, one file each."""
