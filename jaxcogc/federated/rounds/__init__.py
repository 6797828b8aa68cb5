"""Rounds of training: every seed and scheme in one compiled program."""
