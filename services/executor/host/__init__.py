"""What operations on the host they run on have in common: its files, its accounts, its commands, and former states."""
