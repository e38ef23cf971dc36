"""What tests stand on: real servers, waiting, faults. Holds no test; `tests/conftest.py` makes fixtures of it."""
