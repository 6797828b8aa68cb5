"""The verbs of studies and their stores."""
