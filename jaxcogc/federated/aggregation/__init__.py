"""What the server adds: from the links of a round to coefficients, or to decoded payloads."""
