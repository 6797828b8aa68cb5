"""`jaxcogc network`."""
