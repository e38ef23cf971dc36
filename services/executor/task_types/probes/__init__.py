"""Probes of `host.inspect`: small read-only programs that look at one side of a Linux host through /proc and /sys.

Each module has `probe()`, which returns facts as JSON-able values and lines for a human. Stdlib only, no tools of the
host needed. Refuses to judge: that is for `findings.py`, which sees the facts of all of them.
"""
