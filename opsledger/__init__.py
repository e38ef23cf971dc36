"""opsledger: what a shell and an author of operations see of the system.

Responsible for: naming the distribution's public face. Refuses to know: how the services work.
"""
