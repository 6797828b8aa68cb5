"""The algebra: codes, encoding, decoding, recovery. Nothing here draws a link."""
