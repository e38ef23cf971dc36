"""What operations reach: connections, and the secrets to get in. No value of a secret ever comes back."""
