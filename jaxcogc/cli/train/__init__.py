"""`jaxcogc train`."""
