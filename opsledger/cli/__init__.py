"""The command line: starts the system on one machine and talks to any opsledger over REST.

Refuses to know: the services' code. It starts them as processes and reads their JSON, nothing else.
"""
