"""`jaxcogc schemes`: what it does, imported when it is asked for."""

from jaxcogc.cli.schemes.options import SchemesOptions


def schemes(options: SchemesOptions) -> int:
    """What is every scheme worth on a network?

    One row a scheme: the mean squared distance of what the server adds from the average of all
    updates, where updates are orthogonal and where they are alike; bias; uses of links; what the
    server could read. By closed forms and enumeration where they exist, else from rounds drawn.
    """
    from jaxcogc.cli.schemes.request import read_request

    request = read_request(options)
    from jaxcogc.cli.schemes.run import run  # JAX and SciPy: only now, past most mistakes

    return run(request)
