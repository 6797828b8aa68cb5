"""Learning over bad links: data, models, and what theory says about the rounds."""
