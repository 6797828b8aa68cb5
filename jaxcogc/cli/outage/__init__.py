"""`jaxcogc outage`."""
