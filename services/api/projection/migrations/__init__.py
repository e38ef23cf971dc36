"""Migrations of the view's tables, in the order of their numbers. A released one is never changed."""
