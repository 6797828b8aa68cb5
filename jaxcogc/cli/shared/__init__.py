"""What several verbs share: options, checks, terminal, outputs."""
