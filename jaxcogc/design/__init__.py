"""Which code, attempts, scheme and order are the cheapest for a target."""
