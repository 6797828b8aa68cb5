"""A cyclic code of one straggler, one attempt, as a graph: an independent way to its outcomes."""

import numpy as np

from jaxcogc.federated.convergence.partial_averages import DrawnRounds


def average_of(exact: np.ndarray, known: np.ndarray) -> DrawnRounds:
    """The exact average, or else that over the known clients [trials, clients]."""
    who = known | exact[:, None]
    sizes = who.sum(axis=1)
    return DrawnRounds(who / np.maximum(sizes, 1)[:, None], sizes == 0, exact)


def place_at_random(seed: int, rounds: DrawnRounds) -> DrawnRounds:
    """The same rounds with the clients placed on the ring anew in each, links all alike."""
    return rounds._replace(weights=np.random.default_rng(seed).permuted(rounds.weights, axis=1))


def ring_rounds(uplink: np.ndarray, following: np.ndarray) -> DrawnRounds:
    """What GC+ recovers.

    Row m is b_mm e_m + b_m,m+1 e_m+1. A complete row that arrives ties two neighbours together, an
    incomplete one reveals client m, and whoever is tied to a revealed client is revealed. Rows
    that form all of the ring but one tie give the sum.

    Args:
      uplink: bool [trials, clients]; row m arrived.
      following: bool [trials, clients]; client m heard client m + 1.
    """
    tie = uplink & following
    known = uplink & ~following
    for _ in range(known.shape[1]):
        known = known | (tie & np.roll(known, -1, axis=1)) | np.roll(tie & known, 1, axis=1)
    exact = (tie.sum(axis=1) >= known.shape[1] - 1) | known.all(axis=1)
    return average_of(exact, known)


def draw_ring(
    seed: int, num_clients: int, uplink: float, peer: float, num_trials: int
) -> DrawnRounds:
    """`ring_rounds` of fresh links with these erasure probabilities."""
    rng = np.random.default_rng(seed)
    shape = (num_trials, num_clients)
    return ring_rounds(rng.random(shape) >= uplink, rng.random(shape) >= peer)
