"""The built-in task types, one a file; `contract.py` is what an author sees."""
