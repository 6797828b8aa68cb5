"""`jaxcogc bound`."""
