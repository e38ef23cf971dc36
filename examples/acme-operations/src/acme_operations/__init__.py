"""Acme's own operations and task types for opsledger."""
