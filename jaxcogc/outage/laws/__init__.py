"""Exact laws: what is known of a code on a network without a trial."""
