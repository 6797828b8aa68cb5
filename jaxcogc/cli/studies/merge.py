"""`jaxcogc merge`: one store from several."""

from jaxcogc.cli.studies.options import MergeOptions
from jaxcogc.cli.studies.store_errors import store_errors


def merge(options: MergeOptions) -> int:
    """Unite stores of several machines: every block of every point, each once.

    A block that two stores hold must have the same counts in both; nothing is added otherwise.
    """
    with store_errors():
        from jaxcogc.study.store.merging import merge_stores

        new, known, points = merge_stores(options.sources, options.store)
    print(f"{options.store}: {new:,} blocks added, {known:,} were there; {points:,} points")
    return 0
