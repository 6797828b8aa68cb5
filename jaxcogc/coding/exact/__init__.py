"""Exact decisions over a prime field: one random null vector tells what is recoverable."""
