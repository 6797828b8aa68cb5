"""Kernels for a GPU that draw, decide and count, a trial a thread: of few clients, or of rings."""
