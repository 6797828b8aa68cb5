"""`jaxcogc replay`: one trial of a study again."""

from jaxcogc.cli.studies.options import ReplayOptions
from jaxcogc.cli.studies.store_errors import store_errors


def replay(options: ReplayOptions) -> int:
    """Rebuild a trial: who heard whom, which rows arrived, what was recovered.

    Trials need not have been counted: any trial of a point can be rebuilt from its number.
    """
    with store_errors():
        from jaxcogc.study.store.store import open_store

        with open_store(options.store) as opened:
            point = opened.find_point(options.point).point
            opened.check_words_format()
    from jaxcogc.cli.studies.replay_run import run

    return run(options, point)
