"""Exact laws in dyadic arithmetic: what float64 probabilities give when nothing is rounded."""

import math
from dataclasses import dataclass

import numpy as np

from jaxcogc.links.network import Network


@dataclass(frozen=True)
class Dyadic:
    """An integer times a power of two: what float64 numbers, their sums and products are."""

    digits: int
    exponent: int = 0

    @classmethod
    def of(cls, number):
        numerator, denominator = float(number).as_integer_ratio()
        return cls(numerator, 1 - denominator.bit_length())

    def __add__(self, other):
        low = min(self.exponent, other.exponent)
        ours, theirs = (x.digits << (x.exponent - low) for x in (self, other))
        return Dyadic(ours + theirs, low)

    def __mul__(self, other):
        return Dyadic(self.digits * other.digits, self.exponent + other.exponent)

    def __sub__(self, other):
        return self + Dyadic(-other.digits, other.exponent)

    def __truediv__(self, other):
        """The quotient as a float."""
        shift = 64 + other.digits.bit_length() - self.digits.bit_length()
        quotient = (self.digits << max(shift, 0)) // (other.digits << max(-shift, 0))
        return math.ldexp(quotient, self.exponent - other.exponent - shift)

    def log(self):
        spare = max(self.digits.bit_length() - 64, 0)
        return math.log(self.digits >> spare) + (spare + self.exponent) * math.log(2.0)


ZERO, ONE = Dyadic(0), Dyadic(1)


def product(numbers):
    result = ONE
    for number in numbers:
        result = result * number
    return result


def supports(clients, stragglers, kind="cyclic"):
    if kind == "cyclic":
        return [[(m + i) % clients for i in range(stragglers + 1)] for m in range(clients)]
    size = stragglers + 1
    return [[m // size * size + i for i in range(size)] for m in range(clients)]


def missing_probabilities(network, stragglers, attempts, kind="cyclic"):
    """P(no complete row of client m arrives), exactly; [clients]."""
    missing = []
    for m, support in enumerate(supports(network.num_clients, stragglers, kind)):
        links = [
            network.uplink_erasure[m],
            *(network.peer_erasure[m, k] for k in support if k != m),
        ]
        complete = product(ONE - Dyadic.of(p) for p in links)
        missing.append(product([ONE - complete] * attempts))
    return missing


def exact_cyclic(network, stragglers, attempts=1):
    """P(outage), exactly: the law of the number of clients without a complete row."""
    law = [ONE]
    for missing in missing_probabilities(network, stragglers, attempts):
        arrives = [p * (ONE - missing) for p in law] + [ZERO]
        misses = [ZERO] + [p * missing for p in law]
        law = [a + b for a, b in zip(arrives, misses, strict=True)]
    return sum(law[stragglers + 1 :], ZERO)


def random_network(clients, seed, kind):
    """Probabilities of every size, some of them 0 and 1."""
    source = np.random.default_rng([seed, clients])
    shape = (clients, clients)
    if kind == "tiny":
        values = 10.0 ** source.uniform(-20, -3, shape)
    elif kind == "one-scale":
        values = 10.0 ** source.uniform(-1, 0, shape) * 10.0 ** source.uniform(-15, 0)
    elif kind == "near-one":
        values = 1.0 - 10.0 ** source.uniform(-12, -0.3, shape)
    else:
        values = source.uniform(0, 1, shape)
        values[source.uniform(size=shape) < 0.15] = 0.0
        values[source.uniform(size=shape) < 0.03] = 1.0
    peer = values * ~np.eye(clients, dtype=bool)
    return Network(np.diagonal(values), peer)
