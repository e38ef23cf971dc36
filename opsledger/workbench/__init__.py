"""The workbench: a whole task in one process, for authors. The rules, the attempts and the log are the real ones."""
