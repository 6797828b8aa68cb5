"""`jaxcogc bound`: what it does, imported when it is asked for."""

from jaxcogc.cli.bound.options import BoundOptions


def bound(options: BoundOptions) -> int:
    """How fast can training be promised to converge when rounds fail?

    An upper bound on the mean of ||grad F||^2 over all rounds, from the smoothness of the losses,
    the variance and heterogeneity of gradients, the steps and the probability that a round is held.
    The derivation is in docs/mathematics/convergence.md. For gc the closed form of the outage is
    taken where there is one; for gc-plus and row-space, and elsewhere, rounds are simulated.
    """
    from jaxcogc.cli.bound.request import read_request

    request = read_request(options)
    from jaxcogc.cli.bound.run import run  # SciPy: only now, past --help and most mistakes

    return run(request)
