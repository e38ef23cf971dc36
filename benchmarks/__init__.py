"""How fast it is, measured on whole processes with the shipped settings: `python -m benchmarks`, one file a question.

Each run has a system of its own in a temporary folder. docs/performance.md says how each figure is taken.
"""
