"""What a run of the compiled program needs: its shape, and the inputs that all its blocks share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxcogc.coding.codes import GradientCode, redraw
from jaxcogc.coding.recovery import decision_rule, tile_size
from jaxcogc.links.draws import LinkThresholds, check_limits, link_thresholds
from jaxcogc.links.network import Network
from jaxcogc.outage.counts import BLOCK_TRIALS
from jaxcogc.outage.simulation.program import Shape

_CODE_KEY = 0xC0DE


class Run(NamedTuple):
    """The inputs that all blocks of a run share, on the host, in the order of `program.Inputs`."""

    words: np.ndarray
    thresholds: LinkThresholds
    field_matrix: np.ndarray
    num_stragglers: np.int32


def run_shape(
    network: Network,
    code: GradientCode,
    *,
    num_attempts: int,
    redraw_code: bool,
    tile: int | None,
    devices: Sequence[Any] | None,
    kernel: str,
) -> Shape:
    """The shape of the program for networks and codes of these sizes.

    Args:
      network, code, num_attempts, redraw_code, tile, devices, kernel: as in `compile_simulation`.

    Raises:
      ValueError: sizes that do not fit, or ``redraw_code`` with a family that is not random.
    """
    check_limits(network.num_clients, num_attempts)
    if code.num_clients != network.num_clients:
        raise ValueError(
            f"code has {code.num_clients} clients, network {network.num_clients}: must be equal"
        )
    tile = tile_size(network.num_clients) if tile is None else tile
    if kernel not in ("xla", "pallas"):
        raise ValueError(f"kernel = {kernel!r}: must be 'xla' or 'pallas'")
    if tile not in [2**n for n in range(15)]:
        raise ValueError(f"tile = {tile}: must be a power of two up to {BLOCK_TRIALS}")
    if redraw_code and not code.redrawn:
        code = redraw(jax.random.key(0), code, num_attempts)
    return Shape(
        network.num_clients,
        num_attempts,
        network.reciprocal,
        decision_rule(code, kernel),
        tile,
        tuple(jax.devices() if devices is None else devices),
    )


def redrawn_code(key: jax.Array, code: GradientCode, num_attempts: int) -> GradientCode:
    """The code of every attempt of a run that redraws it; ``key`` is the run's."""
    return redraw(jax.random.fold_in(key, _CODE_KEY), code, num_attempts)


def run_words(key: jax.Array) -> np.ndarray:
    """The two words, uint32 [2], that stand for a run's key; fetching them waits for the device."""
    return np.asarray(jax.random.bits(key, (2,), jnp.uint32))


def prepare_run(words: np.ndarray, network: Network, code: GradientCode) -> Run:
    """What all blocks of a run share; done on the host, while the devices work.

    Args:
      words: of the run's key, from `run_words`.
      network: erasure probabilities.
      code: the code, with each attempt's coefficients where it is redrawn.
    """
    return Run(
        words,
        link_thresholds(network),
        np.asarray(code.field_matrix),
        np.int32(code.num_stragglers),
    )
