"""Runs of training on the host: the plan, its compiled program, checkpoints, summaries."""
