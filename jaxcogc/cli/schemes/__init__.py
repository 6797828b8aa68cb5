"""`jaxcogc schemes`."""
