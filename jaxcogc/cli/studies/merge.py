"""`jaxcogc merge`: one store from several."""

from jaxcogc.cli.studies.options import MergeOptions
from jaxcogc.cli.studies.store_errors import store_errors


def merge(options: MergeOptions) -> int:
    """Unite stores of several machines: every block of every point, each once.

    A block that two stores hold must have the same counts in both; nothing is added otherwise.
    """
    with store_errors():
        from jaxcogc.study.store.merging import merge_stores

        found = merge_stores(options.sources, options.store)
    told = f"{found.new:,} blocks added, {found.known:,} were there; {found.points:,} points"
    print(f"{options.store}: {told}")
    return 0
