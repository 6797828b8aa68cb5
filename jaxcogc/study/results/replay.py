"""One trial of a study again: who heard whom, which rows arrived, what was recovered."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxcogc.coding.exact.bit_rows import pack_rows
from jaxcogc.coding.exact.prime_field import random_elements
from jaxcogc.coding.recovery import (
    DecisionRule,
    Recovery,
    decision_rule,
    prepare_code,
    recover_rows,
)
from jaxcogc.links.draws import draw_thresholded_links
from jaxcogc.outage.counts import BLOCK_TRIALS
from jaxcogc.outage.outcomes import classify
from jaxcogc.study.collection.simulation_engine import code_for_run, run_of, setting_of
from jaxcogc.study.specification.point import Point


class Replay(NamedTuple):
    """A trial, rebuilt from the same random words that the compiled program draws.

    Attributes:
      trial: its number, from 0.
      uplink_delivered: bool [attempts, clients].
      peer_delivered: bool [attempts, clients, clients], first index receives; true diagonal.
      support: bool [attempts, clients, clients], whose updates the row of a client needs.
      recovery: what the server recovers.
    """

    trial: int
    uplink_delivered: np.ndarray
    peer_delivered: np.ndarray
    support: np.ndarray
    recovery: Recovery

    @property
    def complete(self) -> np.ndarray:
        """Rows that miss no update, arrived or not: bool [attempts, clients]."""
        return np.all(self.peer_delivered | ~self.support, axis=-1)

    @property
    def held(self) -> np.ndarray:
        """Whose updates a row holds: bool [attempts, clients, clients]."""
        return self.peer_delivered & self.support

    def outcomes(self) -> dict[str, bool]:
        """Which of the outcomes that a study can watch happened."""
        return {name: bool(seen) for name, seen in classify(self.recovery).by_name().items()}

    @property
    def clients(self) -> np.ndarray:
        """The clients recovered one by one: bool [clients]."""
        return np.asarray(self.recovery.client_recovered)


def replay(point: Point, trial: int) -> Replay:
    """Rebuild a trial and decide it again.

    Args:
      point: the point.
      trial: the trial's number, from 0, in the fixed order of the point's blocks.
    """
    network, code = setting_of(point)
    code = code_for_run(point, code)
    block, place = divmod(trial, BLOCK_TRIALS)
    run = run_of(point)
    words = jnp.asarray(run.words)
    key = jax.random.fold_in(jax.random.wrap_key_data(words, impl="threefry2x32"), block)
    links = draw_thresholded_links(
        key, run.thresholds, point.attempts, reciprocal=network.reciprocal, trial=place
    )
    shape = (point.attempts, point.num_clients, point.num_clients)
    coefficients = jnp.broadcast_to(code.field_matrix, shape)
    random = jax.random.bits(jax.random.fold_in(key, 1), (point.num_clients, 1), jnp.uint32)
    found = _decide(
        decision_rule(code),
        coefficients,
        code.num_stragglers,
        random_elements(random, code.modulus),
        pack_rows(links.uplink_delivered[None], links.peer_delivered[None]),
    )
    recovery: Any = jax.tree.map(lambda leaf: np.asarray(leaf)[..., 0], found)
    return Replay(
        trial,
        np.asarray(links.uplink_delivered),
        np.asarray(links.peer_delivered),
        np.asarray(coefficients) != 0,
        recovery,
    )


@partial(jax.jit, static_argnums=0)
def _decide(
    rule: DecisionRule, coefficients: Any, num_stragglers: Any, random: Any, rows: Any
) -> Recovery:
    code = prepare_code(coefficients, num_stragglers, rule.modulus)
    return recover_rows(rule, code, random, rows)
