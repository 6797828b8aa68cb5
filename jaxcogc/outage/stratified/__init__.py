"""Trials sorted into strata of known probability: sharper estimates from the same trials."""
