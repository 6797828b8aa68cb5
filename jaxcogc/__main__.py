"""`python -m jaxcogc`: the same program as the `jaxcogc` command."""

from jaxcogc.cli.app import command

if __name__ == "__main__":
    raise SystemExit(command())
