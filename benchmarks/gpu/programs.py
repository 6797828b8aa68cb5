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
from jaxcogc.coding.exact.decision import PreparedCode
from jaxcogc.federated import RoundSpan, TrainState, initial_state, seed_words, training_program
from jaxcogc.outage.counts import BLOCK_TRIALS
from jaxcogc.outage.random_links import link_table
from jaxcogc.outage.simulation.link_patterns import BATCH_TRIALS, pattern_decision
from jaxcogc.outage.simulation.program import lowered_program, prepared
from jaxcogc.outage.simulation.program_inputs import Shape as ProgramShape
from jaxcogc.outage.simulation.program_inputs import prepare_run, run_shape

_KEPT = 64
_MANY = 2**14
_SEEDS = 16


class Planned(NamedTuple):
    """A program to compile.

    Attributes:
      name: of the program.
      lower: traces it; called once.
      unit, work: what it does, and how much in one call.
      trips: how often its loops go round in one call, in XLA's order; the others are counted once.
    """

    name: str
    lower: Callable[[], jax.stages.Lowered]
    unit: str
    work: int
    trips: tuple[float, ...] = ()


def planned_programs(device: jax.Device, shapes: list[Shape], quick: bool) -> Iterator[Planned]:
    """All programs in turn; ``quick``: the simulation of the first shape alone."""
    for shape in shapes:
        yield simulation(device, shape, "xla")
        if quick:
            return
    first = shapes[0]
    yield simulation(device, first, "xla", kept=_KEPT)
    yield from decisions(device, first)
    yield training(device)


def simulation(device: jax.Device, shape: Shape, kernel: str, kept: int = 0) -> Planned:
    """Draw, decide and count; with ``kept`` every block apart."""
    network, code = make_network(shape), make_code(shape)
    program = run_shape(
        network,
        code,
        num_attempts=shape.attempts,
        redraw_code=False,
        devices=[device],
        kernel=kernel,
    )._replace(kept=kept)
    blocks = kept or program.most_blocks
    run = prepare_run(np.zeros(2, np.uint32), network, code)
    gram = jax.jit(lambda: prepared(program, run).gram)()
    numbers, count = gram.diagonals
    groups = float(np.mean(np.asarray(gram.groups.num_needed)[np.asarray(numbers)[: int(count)]]))
    tiles = blocks * BLOCK_TRIALS // program.tile
    around = walks(prepared_code(program, run))
    trips = (tiles,) if around else (tiles, float(gram.pairs.num_needed), float(count), groups)
    what = "blocks kept apart" if kept else "simulation"
    return Planned(
        f"{what} {tuple(shape)}, {kernel}",
        partial(lowered_program, program),
        "trials",
        blocks * BLOCK_TRIALS,
        trips,
    )


def prepared_code(program: ProgramShape, run: Any) -> PreparedCode:
    """Shapes of the prepared code alone."""
    code: PreparedCode = jax.eval_shape(lambda: prepared(program, run))
    return code


def walks(code: PreparedCode) -> bool:
    """Whether the decision may go around the ring."""
    return code.ring is not None


def decisions(device: jax.Device, shape: Shape) -> Iterator[Planned]:
    """`recover` and decoders under vmap, and the decision of weighted trials."""
    code, network = make_code(shape), make_network(shape)
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
    table = link_table(network, code, shape.attempts)
    erased = _blank((BATCH_TRIALS, len(table.gates)), bool)
    inputs = put((key, code, table.where, table.gates, erased))
    decide = jax.jit(pattern_decision, static_argnums=5)
    lower = partial(decide.lower, *inputs, False)
    yield Planned(f"weighted trials {tuple(shape)}", lower, "trials", BATCH_TRIALS)


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
