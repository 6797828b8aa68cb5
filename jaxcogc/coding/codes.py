"""The families of codes."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from jaxcogc._types import Key
from jaxcogc.coding.constructions import (
    block_matrix,
    cyclic_matrix,
    cyclic_mds_matrices,
    cyclic_residues,
    ring_matrix,
)
from jaxcogc.coding.gradient_code import GradientCode, build_code
from jaxcogc.coding.host_field import MERSENNE_31
from jaxcogc.links.checks import check_choice, check_count, read_only
from jaxcogc.names import FAMILIES, RANDOM_FAMILIES
from jaxcogc.runtime.jax_settings import under_plain_settings
from jaxcogc.runtime.random_words import host_generator, split

__all__ = [
    "GradientCode",
    "all_ones_ring_code",
    "cyclic_code",
    "cyclic_mds_code",
    "fractional_repetition_code",
    "make_code",
    "redraw",
    "uncoded",
]


def make_code(
    family: str,
    num_clients: int,
    num_stragglers: int,
    *,
    key: Key | None = None,
    num_draws: int = 16,
) -> GradientCode:
    """The code of a family, by the family's name.

    Args:
      family: "cyclic", "cyclic-mds", "fractional-repetition", "all-ones-ring" or "uncoded".
      num_clients: M, at least 1.
      num_stragglers: s, as the family's own function allows it; 0 of an uncoded scheme.
      key: draws a cyclic code; the other families have nothing random.
      num_draws: as in `cyclic_code`.

    Raises:
      ValueError: another family, a cyclic code without a key, or no such code of this size.

    >>> make_code("cyclic-mds", 4, 1) == cyclic_mds_code(4, 1)
    True
    """
    check_choice("family", family, FAMILIES)
    if family == "cyclic":
        if key is None:
            raise ValueError("key = None: allowed is a typed key, as a cyclic code is random")
        return cyclic_code(key, num_clients, num_stragglers, num_draws=num_draws)
    if family == "cyclic-mds":
        return cyclic_mds_code(num_clients, num_stragglers)
    if family == "fractional-repetition":
        return fractional_repetition_code(num_clients, num_stragglers)
    if family == "all-ones-ring":
        return all_ones_ring_code(num_clients, num_stragglers)
    if num_stragglers != 0:
        raise ValueError(f"num_stragglers = {num_stragglers}: allowed is 0 without a code")
    return uncoded(num_clients)


@under_plain_settings
def cyclic_code(
    key: Key, num_clients: int, num_stragglers: int, *, num_draws: int = 16
) -> GradientCode:
    """The cyclic code of Tandon et al. (ICML 2017, Algorithm 2).

    Row m has the support m, .., m + s mod M and b_mm = 1. Any M - s complete rows decode the sum,
    and no M - s - 1 do. The code is built on the host in float64, the same in either mode of JAX.
    Over GF(2^31 - 1) it is another, generic member of the family.

    Args:
      key: one concrete typed key, as `jax.random.key` makes it.
      num_clients: M, at least 1.
      num_stragglers: s in 0..M-1; s = 0 gives the identity, s = M - 1 the all-one matrix.
      num_draws: of so many random codes, take the one whose largest coefficient is smallest.

    Raises:
      ValueError: an argument outside what is allowed, or a key that is raw or traced.

    >>> code = cyclic_code(jax.random.key(0), 5, 2)
    >>> code.matrix.dtype, (code.matrix != 0).sum(axis=1)
    (dtype('float64'), array([3, 3, 3, 3, 3]))
    """
    clients, stragglers = _sizes(num_clients, num_stragglers)
    draws = check_count("num_draws", num_draws)
    generator = host_generator(key)
    if stragglers in (0, clients - 1):
        matrix = block_matrix(clients, stragglers)
        field_matrix = matrix.astype(np.uint64)
    else:
        matrix, parity = cyclic_matrix(generator, clients, stragglers, draws)
        error = np.abs(parity @ matrix.T).max() / (np.abs(parity) @ np.abs(matrix).T).max()
        if not error < 1e-12:  # pragma: no cover - no draw is that badly conditioned
            raise ValueError(f"H b = 0 holds only to {error:.1e}: use another key")
        field_matrix = cyclic_residues(generator, clients, stragglers, MERSENNE_31)
    return build_code(matrix, field_matrix, stragglers, "cyclic", MERSENNE_31)


def cyclic_mds_code(num_clients: int, num_stragglers: int) -> GradientCode:
    """The cyclic MDS code of Raviv et al. (ICML 2018), real and without a random draw.

    Row m is a fixed monic polynomial shifted by m, so b_mm = 1 and all coefficients are positive.
    Any M - s complete rows are a basis of the row space and decode the sum; for composite M fewer
    rows may do. Over the field of the largest prime below 2^31 that is 1 mod M it is the same code.

    Args:
      num_clients: M, at least 1.
      num_stragglers: s in 0..M-1 with M - s odd, or 0.

    Raises:
      ValueError: a number outside what is allowed.

    >>> cyclic_mds_code(4, 1).matrix[0]
    array([1., 1., 0., 0.])
    >>> cyclic_mds_code(10, 4)
    Traceback (most recent call last):
    ValueError: num_stragglers = 4: allowed are 0, 1, 3, 5, 7, 9 for a real cyclic MDS code ...
    """
    clients, stragglers = _sizes(num_clients, num_stragglers)
    if stragglers != 0 and (clients - stragglers) % 2 == 0:
        allowed = [0, *range(1 + clients % 2, clients, 2)]
        raise ValueError(
            f"num_stragglers = {stragglers}: allowed are {', '.join(map(str, allowed))} for a real "
            f"cyclic MDS code of {clients} clients (clients - stragglers odd, or no stragglers)"
        )
    matrix, field_matrix, modulus = cyclic_mds_matrices(clients, stragglers)
    return build_code(matrix, field_matrix, stragglers, "cyclic-mds", modulus)


def fractional_repetition_code(num_clients: int, num_stragglers: int) -> GradientCode:
    """Fractional repetition (Tandon et al.): all-ones within blocks of s + 1 clients.

    One complete row of every block decodes the sum.

    Args:
      num_clients: M, at least 1.
      num_stragglers: s in 0..M-1 with (s + 1) a divisor of M.

    Raises:
      ValueError: a number outside what is allowed.

    >>> fractional_repetition_code(4, 1).matrix[2]
    array([0., 0., 1., 1.])
    """
    clients, stragglers = _dividing_sizes(num_clients, num_stragglers, "fractional repetition")
    matrix = block_matrix(clients, stragglers)
    return build_code(matrix, matrix, stragglers, "fractional-repetition", MERSENNE_31)


def all_ones_ring_code(num_clients: int, num_stragglers: int) -> GradientCode:
    """Ones over a client and the next s on the ring.

    All rows of one class of clients mod s + 1 add up to the sum, and nothing less decodes; any s
    rows may be missing.

    Args:
      num_clients: M, at least 1.
      num_stragglers: s in 0..M-1 with (s + 1) a divisor of M.

    Raises:
      ValueError: a number outside what is allowed.

    >>> all_ones_ring_code(4, 1).matrix[3]
    array([1., 0., 0., 1.])
    """
    clients, stragglers = _dividing_sizes(num_clients, num_stragglers, "an all-ones ring")
    matrix = ring_matrix(clients, stragglers)
    return build_code(matrix, matrix, stragglers, "all-ones-ring", MERSENNE_31)


def uncoded(num_clients: int) -> GradientCode:
    """No code: B = I, every client uploads its own update, s = 0.

    Args:
      num_clients: M, at least 1.

    Raises:
      ValueError: no client.

    >>> uncoded(2).matrix
    array([[1., 0.],
           [0., 1.]])
    """
    clients, _ = _sizes(num_clients, 0)
    identity = np.eye(clients)
    return build_code(identity, identity, 0, "uncoded", MERSENNE_31)


@under_plain_settings
def redraw(key: Key, code: GradientCode, num_attempts: int) -> GradientCode:
    """Independent codes of one family, one for each attempt.

    Args:
      key: one concrete typed key.
      code: a code of a random family, which "cyclic" is the only one of; only its size counts.
      num_attempts: A, at least 1.

    Returns:
      A GradientCode whose coefficients have a leading attempts axis.

    Raises:
      ValueError: a family without a random draw, no attempt, or a key that is raw or traced.

    >>> redraw(jax.random.key(1), cyclic_code(jax.random.key(0), 5, 2), 3).matrix.shape
    (3, 5, 5)
    """
    if code.family not in RANDOM_FAMILIES:
        raise ValueError(
            f"redraw_code: code family {code.family!r} has no random draw: allowed is 'cyclic'"
        )
    check_count("num_attempts", num_attempts)
    host_generator(key)  # says what is wrong with the key
    with jax.ensure_compile_time_eval():
        keys = list(split(key, num_attempts))
    codes = [cyclic_code(k, code.num_clients, int(code.num_stragglers)) for k in keys]
    return GradientCode(
        read_only(np.stack([c.matrix for c in codes])),
        read_only(np.stack([c.field_matrix for c in codes]), np.uint32),
        codes[0].num_stragglers,
        code.family,
        code.modulus,
    )


def _dividing_sizes(num_clients: Any, num_stragglers: Any, code: str) -> tuple[int, int]:
    clients, stragglers = _sizes(num_clients, num_stragglers)
    if clients % (stragglers + 1):
        allowed = ", ".join(str(s) for s in range(clients) if clients % (s + 1) == 0)
        raise ValueError(
            f"num_stragglers = {stragglers}: allowed are {allowed} for {code} among {clients} "
            "clients (stragglers + 1 divides clients)"
        )
    return clients, stragglers


def _sizes(num_clients: Any, num_stragglers: Any) -> tuple[int, int]:
    clients = check_count("num_clients", num_clients)
    return clients, check_count("num_stragglers", num_stragglers, low=0, high=clients - 1)
