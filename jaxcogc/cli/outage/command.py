"""`jaxcogc outage`: what it does, imported when it is asked for."""

from jaxcogc.cli.outage.options import OutageOptions


def outage(options: OutageOptions) -> int:
    """How often is the global update recovered?

    Simulates rounds of gradient coding over links that lose messages and reports how often standard
    decoding, GC+ and row-space decoding recover the average update, with confidence intervals and,
    where there is one, the closed form beside them.

    The table and the progress go to standard error. Ctrl-C finishes the batch in flight and reports
    what was counted (exit code 130); a second Ctrl-C ends at once.
    """
    from jaxcogc.cli.outage.request import read_request

    request = read_request(options)
    if options.rare is not None:
        from jaxcogc.cli.outage.rare_run import run_rare

        return run_rare(request)
    from jaxcogc.cli.outage.run import run  # JAX and SciPy: only now, past --help and most mistakes

    return run(request)
