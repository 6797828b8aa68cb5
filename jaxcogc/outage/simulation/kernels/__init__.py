"""Which kernel computes trials, where it serves, and whether it counts right."""
