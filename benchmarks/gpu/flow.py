"""How often a program starts its kernels: loops by their rounds, branches by how often taken."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from benchmarks.gpu.costs import LAUNCH, WAIT, Cost, Prices
from benchmarks.gpu.hlo import Instruction
from benchmarks.gpu.thunks import Thunk, spread

Where = tuple[str, ...]
"""Functions of the source whose loops stand around something, the outermost first."""


class Rules(NamedTuple):
    """What only the program knows.

    Attributes:
      rounds: of loops, in one run of what is around them, by the function of the source that they
        come from; loops whose rounds XLA found need none.
      branches: how often each branch of a condition is taken, in the order of the source (of
        `lax.cond` the false one first); of conditions that are not named the dearest counts.
    """

    rounds: Mapping[str, float] = {}
    branches: Mapping[str, tuple[float, ...]] = {}


class Part(NamedTuple):
    """What a call of the program does between two of its loops.

    Attributes:
      where: the loops around it.
      rounds: that they go round in a call, all together.
      cost: of one call.
    """

    where: Where
    rounds: float
    cost: Cost


class Flow(NamedTuple):
    """What a call of a program does.

    Attributes:
      parts: by the loops around them, in the program's order.
      unknown: why the number of rounds is not known, each reason once; empty where it is.
      unmatched: kernels of which nobody says what they read and write.
    """

    parts: list[Part]
    unknown: list[str]
    unmatched: int

    @property
    def total(self) -> Cost:
        """Of all parts."""
        total = Cost()
        for part in self.parts:
            total = total.plus(part.cost)
        return total


_Costs = dict[Where, Part]


def flow_of(thunks: list[Thunk], prices: Prices, rules: Rules) -> Flow:
    """Follow a program through its list of thunks.

    Args:
      thunks: what it starts.
      prices: by which kernels are priced.
      rules: what only the program knows.
    """
    walk = _Walk(prices, rules)
    costs = walk.through(thunks, prices.module.entry, (), False)
    costs[()] = costs[()]._replace(rounds=1.0)
    return Flow(list(costs.values()), walk.unknown, walk.unmatched)


class _Walk:
    def __init__(self, prices: Prices, rules: Rules) -> None:
        self._prices, self._rules = prices, rules
        self.unknown: list[str] = []
        self.unmatched = 0

    def through(self, thunks: list[Thunk], computation: str, where: Where, held: bool) -> _Costs:
        """One run of some thunks, which do what a computation says."""
        costs: _Costs = {where: Part(where, 0.0, Cost())}
        items = list(spread(thunks, held))
        working = [thunk for thunk, _ in items if thunk.kind != "kCommandBuffer"]
        instructions = iter(paired(working, self._prices.module.starting(computation)))
        for thunk, buffered in items:
            if not buffered and thunk.kind not in ("kWhile", "kConditional"):
                _add(costs, where, LAUNCH)
            if thunk.kind == "kCommandBuffer":
                continue
            instruction = next(instructions)
            if thunk.kind == "kWhile":
                self._loop(costs, thunk, instruction, where, buffered)
            elif thunk.kind == "kConditional":
                self._branch(costs, thunk, instruction, where, buffered)
            elif thunk.is_kernel:
                self.unmatched += instruction is None
                _add(costs, where, self._prices.of(thunk, computation, instruction))
        return costs

    def _loop(
        self,
        costs: _Costs,
        thunk: Thunk,
        instruction: Instruction | None,
        where: Where,
        buffered: bool,
    ) -> None:
        function, called = "", dict[str, str]()
        rounds: float | None = None
        if instruction is not None:
            function = self._prices.module.function(instruction)
            rounds, called = instruction.known_rounds, instruction.called
        if rounds is None:
            rounds = self._rules.rounds.get(function)
        if rounds is None:
            self._not_known(f"the rounds of the loop in {function or 'a place unknown'}")
            rounds = 1
        inside = (*where, function)
        for name, thunks in thunk.parts:
            _merge(costs, self.through(thunks, called.get(name, ""), inside, buffered), rounds)
        if not buffered:
            _add(costs, inside, WAIT, rounds)
        part = costs[inside]
        costs[inside] = part._replace(rounds=part.rounds + rounds)

    def _branch(
        self,
        costs: _Costs,
        thunk: Thunk,
        instruction: Instruction | None,
        where: Where,
        buffered: bool,
    ) -> None:
        names, taken = [""] * len(thunk.parts), None
        if instruction is not None:
            names = instruction.branches
            told = self._rules.branches.get(self._prices.module.function(instruction), ())
            taken = instruction.weights(told) if len(told) == len(names) else None
        each = {
            n: self.through(thunks, name, where, buffered)
            for n, ((_, thunks), name) in enumerate(zip(thunk.parts, names, strict=True))
            if taken is None or taken[n] > 0  # what is never taken may have loops of any rounds
        }
        if taken is None:
            dearest = max(each, key=lambda n: _fast(each[n]))
            each, taken = {dearest: each[dearest]}, [1.0] * len(names)
        for n, once in each.items():
            _merge(costs, once, taken[n])
        if not buffered:
            _add(costs, where, WAIT)

    def _not_known(self, reason: str) -> None:
        if reason not in self.unknown:
            self.unknown.append(reason)


def _add(costs: _Costs, where: Where, cost: Cost, times: float = 1.0) -> None:
    _merge(costs, {where: Part(where, 0.0, cost)}, times)


def _merge(costs: _Costs, other: _Costs, times: float) -> None:
    for where, part in other.items():
        before = costs.get(where, Part(where, 0.0, Cost()))
        rounds = before.rounds + times * part.rounds
        costs[where] = Part(where, rounds, before.cost.plus(part.cost, times))


def _fast(costs: _Costs) -> float:
    return sum(part.cost.fast for part in costs.values())


def paired(thunks: list[Thunk], instructions: list[Instruction]) -> Iterator[Instruction | None]:
    """For each thunk the instruction that it was made for; None for copies and fills that XLA put
    before a sort or a scatter.

    Both are in the order of the schedule; where loops and branches do not meet, nothing is known.
    """
    found: list[Instruction | None] = []
    left, extra = list(instructions), len(thunks) - len(instructions)
    for thunk in thunks:
        copies = thunk.kind == "kCopy" or thunk.kind.startswith("kMem")
        if extra > 0 and copies and (not left or left[0].opcode != "copy"):
            found.append(None)
            extra -= 1
        else:
            found.append(left.pop(0) if left else None)
    kinds = {"kWhile": "while", "kConditional": "conditional"}
    meet = all(
        (kinds.get(thunk.kind) or "") == (x.opcode if x and x.opcode in kinds.values() else "")
        for thunk, x in zip(thunks, found, strict=True)
    )
    yield from found if meet and not left else [None] * len(thunks)
