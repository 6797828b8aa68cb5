"""A plan's compiled program, and the run block by block."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxcogc.federated.rounds.experiment import Inputs, RoundSpan, StateAndMetrics, Task, TrainState
from jaxcogc.federated.rounds.round_program import training_program
from jaxcogc.federated.rounds.run_axes import initial_state, seed_words
from jaxcogc.runtime.devices import describe_devices, devices_that_divide
from jaxcogc.runtime.jax_settings import plain_settings
from jaxcogc.training.plan import TrainingPlan
from jaxcogc.training.task import plan_inputs, plan_task
from jaxcogc.training.trained import Trained

_BLOCK_SECONDS = 2.0


class CompiledTraining(NamedTuple):
    """The program of a plan.

    Attributes:
      compile_seconds: what tracing and compiling took.
      device: the devices it runs on, in words.
      fingerprint: ``fingerprint() -> str``, of the program, its arrays and its seeds, whatever the
        functions that it was made of are called: the same where the numbers will be.
      start: ``start() -> Trained``, before the first round.
      blocks: ``blocks(trained) -> Iterator[Trained]``: goes on from anywhere, a few seconds of
        work at most each. Numbers do not depend on where blocks begin and end.
    """

    compile_seconds: float
    device: str
    fingerprint: Callable[[], str]
    start: Callable[[], Trained]
    blocks: Callable[[Trained], Iterator[Trained]]


def compile_training(plan: TrainingPlan) -> CompiledTraining:
    """Compile the one program that trains all seeds under all schemes.

    The seeds are divided among as many of the devices as divide their number. Memory grows with
    seeds x schemes x (clients + 2) x parameters, 4 bytes each, with SGD everywhere; where a scheme
    remembers clients, by clients x parameters more for each seed and scheme of the plan.
    """
    return compile_task(plan, plan_task(plan), plan_inputs(plan))


@plain_settings()
def compile_task(plan: TrainingPlan, task: Task, inputs: Inputs) -> CompiledTraining:
    """`compile_training` for a task and arrays that are not quite those of the plan."""
    started = time.perf_counter()
    settings, words = plan.settings, seed_words(plan.seeds)
    devices = devices_that_divide(jax.devices(), len(plan.seeds))
    inputs = jax.tree.map(jnp.asarray, inputs)
    first = initial_state(task, settings, words, plan.network.num_clients)
    program = training_program(task, settings, devices=devices, network=plan.network)
    lowered = program.lower(first, inputs, words, RoundSpan.of(0, 1, plan.rounds))
    compiled, (_, shapes) = lowered.compile(), lowered.out_info
    first = jax.tree.map(np.array, first)

    def fingerprint() -> str:
        digest = hashlib.sha256(lowered.as_text().encode())
        for leaf in jax.tree.leaves((inputs, words)):
            digest.update(np.asarray(leaf).tobytes())
        return digest.hexdigest()

    @plain_settings()
    def run(state: TrainState, start: int, num_active: int) -> StateAndMetrics:
        span = RoundSpan.of(start, num_active, plan.rounds)
        after = compiled(jax.tree.map(jnp.array, state), inputs, words, span)
        on_host: StateAndMetrics = jax.tree.map(np.array, after)
        return on_host

    @plain_settings()
    def start() -> Trained:
        state = jax.tree.map(np.array, first)
        metrics = jax.tree.map(
            lambda x: np.zeros((*x.shape[:2], plan.rounds, *x.shape[3:]), x.dtype), shapes
        )
        return Trained(state, 0, metrics)

    return CompiledTraining(
        compile_seconds=time.perf_counter() - started,
        device=describe_devices(devices),
        fingerprint=fingerprint,
        start=start,
        blocks=lambda trained: _blocks(plan, run, trained),
    )


def _blocks(
    plan: TrainingPlan, run: Callable[[TrainState, int, int], StateAndMetrics], trained: Trained
) -> Iterator[Trained]:
    """Blocks of rounds that take about the same time; what is yielded shares no memory."""
    state, done, metrics, size = *trained, 1
    while done < plan.rounds:
        started = time.perf_counter()
        size = min(size, plan.settings.block_rounds, plan.rounds - done)
        state, rows = run(state, done, size)
        metrics = jax.tree.map(np.copy, metrics)
        for whole, part in zip(jax.tree.leaves(metrics), jax.tree.leaves(rows), strict=True):
            whole[:, :, done : done + size] = part[:, :, :size]
        done += size
        yield Trained(jax.tree.map(np.copy, state), done, metrics)
        if time.perf_counter() - started < _BLOCK_SECONDS / 2:
            size *= 2
