"""What the project's programs become on a GPU that is only described: compiled, never run."""
