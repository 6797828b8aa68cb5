"""`jaxcogc collect`: count the trials that a study asks for."""

from jaxcogc.cli.shared.errors import UserError, rejected
from jaxcogc.cli.shared.process_options import check_processes, join
from jaxcogc.cli.studies.options import CollectOptions


def collect(options: CollectOptions) -> int:
    """Count the trials that a study asks for, and that its store does not hold yet.

    Running the same command again resumes; several processes may work on one store. Ctrl-C (or
    SIGTERM) finishes the blocks under way and stores them (exit code 130 or 143); a second one ends
    at once, and loses no stored block either.
    """
    check_processes(options)
    leads = join(options)  # reading the study builds codes, and so touches a device
    from jaxcogc.study.specification.study_file import check_shard, read_study

    try:
        study = read_study(options.study, client_order=_order(options))
    except ValueError as error:
        raise UserError(str(error)) from error
    if options.shard is not None:
        try:
            check_shard(study, options.shard)
        except ValueError as error:
            raise UserError(f"--{error}") from error
    from jaxcogc.cli.studies.collect_run import run

    return run(options, study, leads=leads)


def _order(options: CollectOptions) -> list[int] | None:
    """The order of the clients that was asked for."""
    if options.client_order is None:
        return None
    cells = options.client_order.replace(",", " ").split()
    order = [int(cell) for cell in cells if cell.isascii() and cell.isdecimal()]
    if sorted(order) != list(range(len(cells))):
        raise rejected("--client-order", options.client_order, "every client once, such as 1,0,2")
    return order
