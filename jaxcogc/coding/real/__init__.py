"""Real received matrices, factored many trials at once."""
