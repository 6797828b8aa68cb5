"""The project's own programs, lowered for a described device."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from benchmarks.cases import Shape, make_code, make_network
from benchmarks.gpu.flow import Rules
from benchmarks.gpu.kernel_loops import KERNELS, Loop
from benchmarks.gpu.rounds import (
    decoder_rules,
    recovery_rules,
    simulation_rules,
    training_rules,
)
from benchmarks.training_case import SCHEMES, Size, make_case, settings
from jaxcogc import Links, gc_plus_weights, gc_weights, recover
from jaxcogc.federated import RoundSpan, TrainState, initial_state, seed_words, training_program
from jaxcogc.outage import lower_simulation

_MANY = 2**14
_SEEDS = 16


class Planned(NamedTuple):
    """A program to compile.

    Attributes:
      name: of the program.
      lower: traces it; called once.
      unit, work: what it does, and how much in one call.
      rules: how often its loops go round in one call, and which branches are taken.
      kernel_loops: the loops inside of kernels that draw and decide, by the kernels' names.
    """

    name: str
    lower: Callable[[], jax.stages.Lowered]
    unit: str
    work: int
    rules: Rules
    kernel_loops: Mapping[str, list[Loop]] = {}


def planned_programs(device: jax.Device, shapes: list[Shape], quick: bool) -> Iterator[Planned]:
    """All programs in turn; ``quick``: those of many trials and of few, of the first shape."""
    for shape in shapes:
        best, kernel = simulation(device, shape, "auto")
        yield best
        yield simulation(device, shape, "auto", num_trials=1)[0]
        if quick:
            return
        if kernel != "xla":
            yield simulation(device, shape, "auto", keep_apart=True)[0]
            yield simulation(device, shape, "xla")[0]
    yield from decisions(device, shapes[0])
    yield training(device)


def simulation(
    device: jax.Device,
    shape: Shape,
    kernel: str,
    keep_apart: bool = False,
    num_trials: int | None = None,
) -> tuple[Planned, str]:
    """Draw, decide and count; with ``keep_apart`` every block by itself. Also the kernel taken.

    ``num_trials`` will be asked for: few go by loops."""
    program = lower_simulation(
        make_network(shape),
        make_code(shape),
        device=device,
        num_attempts=shape.attempts,
        kernel=kernel,
        keep_apart=keep_apart,
        num_trials=num_trials,
    )
    what = "blocks kept apart" if keep_apart else "simulation"
    tile = program.num_trials // program.num_tiles
    planned = Planned(
        f"{what} {tuple(shape)}, {program.kernel}",
        lambda: program.lowered,
        "trials",
        program.num_trials,
        simulation_rules(shape, program.num_tiles, tile, program.num_trials),
        {name: loops(shape) for name, loops in KERNELS.items()},
    )
    return planned, program.kernel


def decisions(device: jax.Device, shape: Shape) -> Iterator[Planned]:
    """`recover` and decoders under vmap."""
    code = make_code(shape)
    put = partial(_on, device)
    size = (_MANY, shape.attempts, shape.clients)
    links = Links(_blank(size, bool), _blank((*size, shape.clients), bool))
    key = jax.random.key(0)
    real = decoder_rules(shape, _MANY)
    for name, function, arguments, rules in (
        (
            "recover",
            jax.vmap(recover, (None, None, 0)),
            (key, code, links),
            recovery_rules(shape, _MANY),
        ),
        ("gc_weights", jax.vmap(gc_weights, (None, 0)), (code, links), real),
        ("gc_plus_weights", jax.vmap(gc_plus_weights, (None, 0)), (code, links), real),
    ):
        lower = partial(jax.jit(function).lower, *put(arguments))
        yield Planned(f"{name} {tuple(shape)}", lower, "trials", _MANY, rules)


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
    work = _SEEDS * len(SCHEMES) * case.size.rounds
    return Planned(name, lower, "rounds", work, training_rules(case.size))


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
