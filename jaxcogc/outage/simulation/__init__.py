"""Massive batched Monte Carlo: random links, decisions, integer counts."""
