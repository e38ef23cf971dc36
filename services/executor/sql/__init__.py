"""Speaking SQL to targets: connections, sessions on a thread of their own, scripts and their result sets.

The databases spoken to here are other people's; the view and its schema are unknown here.
"""
