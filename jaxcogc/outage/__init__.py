"""How often a round recovers the global update: exact laws, enumeration, Monte Carlo."""
