"""The built-in operations, one a file; `contract.py` is what an author sees."""
