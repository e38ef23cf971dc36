"""Made-up rows for tables: read what a table is, choose a generator for each column, make rows, put them in.

Refuses to know tasks and subtasks; `operations/data_mock.py` calls it.
"""
