"""`jaxcogc design`: what it does, imported when it is asked for."""

from jaxcogc.cli.design.options import DesignOptions


def design(options: DesignOptions) -> int:
    """Which code, attempts, scheme and order are the cheapest for a target?

    Compares code families, stragglers, attempts and decoders, and retransmission and intermittent
    clients, at their expected uses of links. An outage is a round without the exact average.
    Closed forms and enumeration where they exist; else a short simulation of all codes, and a long
    one of the finalists. A target that nobody reaches is answered by the best found.
    """
    from jaxcogc.cli.design.request import read_request

    request = read_request(options)
    from jaxcogc.cli.design.run import run  # JAX and SciPy: only now, past most mistakes

    return run(request)
