"""Object synchronisation: from keys to objects copied, lists written and counts that agree with them."""
