"""What a seed means: the keys of a run, and its code."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jaxcogc._types import Key
    from jaxcogc.coding.codes import GradientCode

CODES = ("cyclic", "cyclic-mds", "fractional-repetition", "uncoded")
MAX_SEED = 2**32 - 1
"""Of a larger seed JAX keeps the low 32 bits, or more in 64-bit mode: it would mean two things."""


def seed_keys(seed: int) -> tuple[Key, Key]:
    """The keys that a seed stands for: of the cyclic code, and of the trials.

    `simulate_outcomes(trial_key, network, cyclic_code(code_key, ...), ...)` counts what the command
    line counts.
    """
    import jax

    code_key, trial_key = jax.random.split(jax.random.key(seed))
    return code_key, trial_key


def seeded_code(family: str, num_clients: int, num_stragglers: int, seed: int) -> GradientCode:
    """The code of a family and size (ValueError where there is none); cyclic ones from the seed."""
    from jaxcogc.coding import codes

    if family == "cyclic":
        return codes.cyclic_code(seed_keys(seed)[0], num_clients, num_stragglers)
    if family == "cyclic-mds":
        return codes.cyclic_mds_code(num_clients, num_stragglers)
    if family == "fractional-repetition":
        return codes.fractional_repetition_code(num_clients, num_stragglers)
    return codes.uncoded(num_clients)
