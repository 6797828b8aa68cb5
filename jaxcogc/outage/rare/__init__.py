"""Outcomes too rare to count: weighted trials and strata."""
