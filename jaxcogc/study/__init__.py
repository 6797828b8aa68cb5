"""Experiments on the host: pictures of results."""
