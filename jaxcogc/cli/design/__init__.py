"""`jaxcogc design`."""
