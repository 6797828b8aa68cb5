"""Collecting a study: which blocks to count next, until every point's stop rule is met.

What a point's result is follows from its blocks alone (`stop_rules`); the order in which blocks are
counted, here, only decides when it is there. Several processes may collect one store: each claims
the blocks that it counts, at points first where no other is at work.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from jaxcogc.outage.anytime import anytime_bounds
from jaxcogc.outage.counts import BLOCK_TRIALS, OutcomeCounts
from jaxcogc.outage.outcomes import counted_events
from jaxcogc.study.collection.block_counter import BlockCounter
from jaxcogc.study.collection.progress import Listener, PointState, Progress, Summary
from jaxcogc.study.specification.point import Point
from jaxcogc.study.specification.stop_rules import MAX_EVENTS, standing
from jaxcogc.study.specification.study_file import Study
from jaxcogc.study.store.block_rows import NewBlock
from jaxcogc.study.store.claims import Claims, Stretch
from jaxcogc.study.store.store import Store

_COMMIT_SECONDS = 0.25
"""Blocks wait at most about so long for their commit: a crash loses no more than that."""
_IN_FLIGHT = 2
"""Calls of the engine under way at once: the device works while the host stores."""
_PAUSE_SECONDS = 0.1
"""Between two looks at what other processes have counted."""
_AHEAD = 16
"""How far processes go beyond a point's prefix, in its length, where few blocks may be enough."""


class _Call(NamedTuple):
    """Blocks of a point that are being counted: which, since when, and what waits for them."""

    state: PointState
    stretch: Stretch
    started: float
    wait: Callable[[], list[OutcomeCounts]]


class Collector:
    """One run of a collection: `run` does it all."""

    def __init__(
        self,
        study: Study,
        store: Store,
        engine: BlockCounter,
        session: str,
        *,
        stop_requested: Callable[[], bool] = lambda: False,
        listener: Listener | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.study, self.store, self.engine, self.session = study, store, engine, session
        self.rule = study.rule
        self.stop_requested = stop_requested
        self.listener = listener or Listener()
        self.clock = clock
        self.buffer: list[NewBlock] = []
        self.trials, self.compile_seconds, self.last_finish = 0, 0.0, 0.0
        self.claims, self.released = Claims(store, session, clock=clock), list[Stretch]()
        self.held_up = False
        nothing = standing(self.rule, ())
        self.states = [PointState(p, np.zeros(0, np.int64), nothing) for p in study.points]
        stored = store.num_blocks()
        for state in self.states:
            if state.point.id in stored:
                self._refresh(state)

    def run(self) -> Summary:
        """Count until every point is done, the time is over or a stop is requested."""
        started = self.committed = self.clock()
        under_way: deque[_Call] = deque()
        out_of_time = False
        for state in self.states:
            self._find_event_trial(state)
        try:
            while True:
                out_of_time = self._is_over(started)
                halt = out_of_time or self.stop_requested()
                choice = None if halt else self._choose()
                if choice is not None:
                    under_way.append(choice)
                if under_way:
                    if choice is None or len(under_way) >= _IN_FLIGHT:
                        self._finish(under_way.popleft())
                elif halt or not self.held_up:
                    break
                else:
                    self._commit()  # others may wait for it as well
                    self.listener.waiting()
                    time.sleep(_PAUSE_SECONDS)
        finally:
            self._commit()
            self.claims.release_all()
        done = sum(state.standing.final for state in self.states)
        seconds = self.clock() - started
        out_of_time &= done < len(self.states)
        return Summary(
            done, len(self.states), self.trials, self.compile_seconds, seconds, out_of_time
        )

    def _is_over(self, started: float) -> bool:
        budget = self.rule.budget_seconds
        return budget is not None and self.clock() - started >= budget

    def _refresh(self, state: PointState) -> None:
        """Take in what the store has beyond the known prefix: also what others have counted."""
        if state.standing.final:
            return
        columns = self.store.prefix(state.point.id, start=len(state.events))
        state.take_in(self.rule, counted_events(columns)[self.rule.outcome])

    def _choose(self) -> _Call | None:
        """Start the next call; None where nothing is left to count, or others count it."""
        self.held_up = False
        for state in self._candidates():
            if not state.in_flight:
                self._refresh(state)
            if state.standing.final:
                self._find_event_trial(state)
                continue
            first = max(len(state.events), state.in_flight)
            num, limit = self._num_blocks(state, first)
            if num > 0:
                stretch = self.claims.take(state.point.id, first, num, limit)
                if stretch is not None:
                    return self._start(state, stretch)
                self.held_up = True
        return None

    def _start(self, state: PointState, stretch: Stretch) -> _Call:
        wait = self.engine.start(state.point, stretch.first, stretch.num)
        state.in_flight = stretch.first + stretch.num
        return _Call(state, stretch, self.clock(), wait)

    def _candidates(self) -> Iterator[PointState]:
        waiting = [state for state in self.states if not state.standing.final]
        if self.rule.budget_seconds is not None:
            order = np.argsort(-self._widths(waiting), kind="stable")
            waiting = [waiting[place] for place in order]
        elsewhere = self.claims.elsewhere()
        waiting.sort(key=lambda state: state.point.id in elsewhere)
        # Whether a point under way needs more is known when its blocks are there, or by number.
        looks = self.rule.looks_at_intervals or self.rule.max_events is not None
        for state in waiting:
            if not (state.in_flight and looks):
                yield state

    def _widths(self, states: list[PointState]) -> np.ndarray:
        """Of the intervals, relative where the rule is; nothing is wider than nothing counted."""
        counted = np.array([len(state.events) for state in states], np.float64)
        blocks = np.maximum(counted, [state.in_flight for state in states])
        # Blocks under way are taken to be like those that are there.
        scale = blocks / np.maximum(counted, 1)
        events = np.array([state.events.sum() for state in states]) * scale
        trials = blocks * BLOCK_TRIALS
        low, high = anytime_bounds(events, np.maximum(trials, 1), self.rule.level)
        unit = np.maximum(events, 1) / np.maximum(trials, 1)
        widths = (high - low) / (unit if self.rule.relative_width is not None else 1.0)
        return np.where(trials > 0, widths, np.inf)

    def _num_blocks(self, state: PointState, first: int) -> tuple[int, int]:
        """As many as are needed for sure; else as many again as there are, so few are in vain.

        And the first block that is not to be counted now.
        """
        self._prepare(state.point)
        rule, limit = self.rule, self.rule.max_blocks
        left = min(limit - first, self.engine.most_blocks(state.point))
        if rule.looks_at_intervals or rule.max_events is not None or rule.budget_seconds:
            left = min(left, max(1, first))
            limit = min(limit, first + _AHEAD * max(1, first))
        return left, limit

    def _prepare(self, point: Point) -> None:
        if not self.engine.is_ready(point):
            self._commit()  # compiling takes long, and may be ended
            self.listener.compiling(point)
            seconds = self.engine.prepare(point)
            self.compile_seconds += seconds
            self.last_finish = self.clock()  # no block under way is charged with it
            self.listener.compiled(seconds)

    def _finish(self, call: _Call) -> None:
        state, (_, first, _), started, wait = call
        counts = wait()
        self.claims.took(self.clock() - started)
        self.released.append(call.stretch)
        if state.in_flight == first + len(counts):
            state.in_flight = 0
        started, self.last_finish = max(started, self.last_finish), self.clock()
        seconds = (self.last_finish - started) / len(counts)
        self.buffer += [
            NewBlock(state.point.id, first + n, block, seconds) for n, block in enumerate(counts)
        ]
        self.trials += sum(block.trials for block in counts)
        if first > len(state.events):  # others count what comes before
            self._commit()
            self._refresh(state)
        elif not state.standing.final:  # another writer may have counted some of them meanwhile
            new = [counted_events(block._asdict())[self.rule.outcome] for block in counts]
            state.take_in(self.rule, new[max(len(state.events) - first, 0) :])
        self._find_event_trial(state)
        if self.clock() - self.committed >= _COMMIT_SECONDS:
            self._commit()
        self._tell(state)

    def _tell(self, state: PointState) -> None:
        waiting = [other for other in self.states if not other.standing.final]
        left = sum(self.rule.max_blocks - len(other.events) for other in waiting)
        done = len(self.states) - len(waiting)
        self.listener.counted(Progress(state, self.trials, done, len(self.states), left))

    def _commit(self) -> None:
        blocks, self.buffer = self.buffer, []
        if blocks:
            self.store.add_blocks(self.session, blocks)
            self.claims.release(self.released)
            self.released.clear()
        self.committed = self.clock()

    def _find_event_trial(self, state: PointState) -> None:
        """Replay the last block of a point that waited for events, to find their last trial."""
        rule = self.rule
        if state.standing.reason != MAX_EVENTS or rule.max_events is None:
            return
        point, last = state.point, state.standing.num_blocks - 1
        if self.store.event_trial(point.id, rule.outcome, rule.max_events) is not None:
            return
        nth = rule.max_events - int(state.events[:last].sum())
        self._prepare(point)
        position = self.engine.event_position(point, last, rule.outcome, nth)
        trial = last * BLOCK_TRIALS + position + 1
        row = (point.id, rule.outcome, rule.max_events, trial)
        self.store.add_rows("event_trials", [row])
