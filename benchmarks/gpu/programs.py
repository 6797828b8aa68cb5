"""The project's own programs, lowered for a described device."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from benchmarks.cases import Shape, make_code, make_network
from benchmarks.training_case import SCHEMES, Size, make_case, settings
from jaxcogc import Links, gc_plus_weights, gc_weights, recover
from jaxcogc.coding import loop_rounds
from jaxcogc.federated import RoundSpan, TrainState, initial_state, seed_words, training_program
from jaxcogc.outage import LoweredSimulation, lower_simulation

FUSED_KERNEL = "fused_trials"
_MANY = 2**14
_SEEDS = 16


class Planned(NamedTuple):
    """A program to compile.

    Attributes:
      name: of the program.
      lower: traces it; called once.
      unit, work: what it does, and how much in one call.
      trips: how often its loops go round in one call, in XLA's order; empty: not known.
      fused_trips: rounds of the loops inside the fused kernel, in the order of its code; empty
        without that kernel.
    """

    name: str
    lower: Callable[[], jax.stages.Lowered]
    unit: str
    work: int
    trips: tuple[float, ...] = ()
    fused_trips: tuple[float, ...] = ()


def planned_programs(device: jax.Device, shapes: list[Shape], quick: bool) -> Iterator[Planned]:
    """All programs in turn; ``quick``: the first alone."""
    for shape in shapes:
        best = simulation(device, shape, "auto")
        yield best
        if quick:
            return
        if best.fused_trips:
            yield simulation(device, shape, "xla")
    first = shapes[0]
    yield simulation(device, first, "auto", keep_apart=True)
    yield from decisions(device, first)
    yield training(device)


def simulation(device: jax.Device, shape: Shape, kernel: str, keep_apart: bool = False) -> Planned:
    """Draw, decide and count; with ``keep_apart`` every block by itself."""
    program = lower_simulation(
        make_network(shape),
        make_code(shape),
        device=device,
        num_attempts=shape.attempts,
        kernel=kernel,
        keep_apart=keep_apart,
    )
    fused = program.kernel == "fused"
    what = "blocks kept apart" if keep_apart else "simulation"
    return Planned(
        f"{what} {tuple(shape)}, {program.kernel}",
        lambda: program.lowered,
        "trials",
        program.num_trials,
        _trips(program, shape, keep_apart),
        fused_trips(shape) if fused else (),
    )


def _trips(program: LoweredSimulation, shape: Shape, keep_apart: bool) -> tuple[float, ...]:
    if program.kernel == "fused":
        return (program.num_trials / 2**14 if keep_apart else program.num_tiles,)
    rounds = loop_rounds(make_code(shape), num_attempts=shape.attempts)
    if rounds is None:
        return (program.num_tiles,)
    diagonals = min(shape.stragglers, shape.clients // 2) + 1  # of a cyclic code's Gram matrix
    return program.num_tiles, rounds.offset_pairs, diagonals, rounds.offset_groups / diagonals


def fused_trips(shape: Shape) -> tuple[float, ...]:
    """Of each pair of offsets a loop over the clients, if the code uses the pair; and the same once
    more with second words, where first ones tie: practically never."""
    pairs = -(-shape.clients // 2)
    used = shape.stragglers // 2 + 1
    return (*(float(shape.clients) if n < used else 0.0 for n in range(pairs)), *(0.0,) * pairs)


def decisions(device: jax.Device, shape: Shape) -> Iterator[Planned]:
    """`recover` and decoders under vmap."""
    code = make_code(shape)
    put = partial(_on, device)
    size = (_MANY, shape.attempts, shape.clients)
    links = Links(_blank(size, bool), _blank((*size, shape.clients), bool))
    key = jax.random.key(0)
    for name, function, arguments in (
        ("recover", jax.vmap(recover, (None, None, 0)), (key, code, links)),
        ("gc_weights", jax.vmap(gc_weights, (None, 0)), (code, links)),
        ("gc_plus_weights", jax.vmap(gc_plus_weights, (None, 0)), (code, links)),
    ):
        lower = partial(jax.jit(function).lower, *put(arguments))
        yield Planned(f"{name} {tuple(shape)}", lower, "trials", _MANY)


def training(device: jax.Device) -> Planned:
    """A block of rounds of all seeds and schemes."""
    case = make_case(Size())
    rounds = settings(case.size, SCHEMES)
    words = seed_words(range(_SEEDS))
    state = jax.eval_shape(partial(initial_state, case.task, rounds), words)
    program = training_program(case.task, rounds, devices=[device])
    span = RoundSpan.of(0, case.size.rounds, case.size.rounds)
    start = TrainState(state.params, state.server_state)
    lower = partial(program.lower, *_on(device, (start, case.inputs, words, span)))
    name = f"training, {_SEEDS} seeds, {len(SCHEMES)} schemes"
    return Planned(name, lower, "rounds", _SEEDS * len(SCHEMES) * case.size.rounds)


def _blank(shape: tuple[int, ...], dtype: Any) -> Any:
    return jax.ShapeDtypeStruct(shape, dtype)


def _on(device: jax.Device, arguments: Any) -> Any:
    """The shapes of some arrays, as if they lay on a device."""
    mesh = Mesh(np.array([device]), ("devices",))
    place = NamedSharding(mesh, PartitionSpec())

    def shape_of(leaf: Any) -> jax.ShapeDtypeStruct:
        array = leaf if isinstance(leaf, jax.Array | jax.ShapeDtypeStruct) else jnp.asarray(leaf)
        return jax.ShapeDtypeStruct(array.shape, array.dtype, sharding=place)

    return jax.tree.map(shape_of, arguments)
