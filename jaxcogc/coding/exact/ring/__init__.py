"""Null vectors of one attempt by a walk around the ring, where rows are short."""
