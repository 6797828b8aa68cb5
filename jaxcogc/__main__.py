"""`python -m jaxcogc`: the same program as the `jaxcogc` command."""

from jaxcogc.cli.app import main

if __name__ == "__main__":
    raise SystemExit(main())
