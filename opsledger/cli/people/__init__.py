"""Who may use opsledger: tokens, users, and who we are ourselves. Refuses to know what a role grants; the API says."""
