"""Counts of outcomes, as integers that add, and the probabilities derived from them last."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
from jaxtyping import Float64, Int64

from jaxcogc.names import OUTAGES
from jaxcogc.outage.intervals import Estimate, estimate
from jaxcogc.outage.outcomes import ByOutcome, counted

if TYPE_CHECKING:
    import pandas

BLOCK_TRIALS = 2**14
"""Trials of a block: the unit of random keys, of storage and of stop rules."""


class OutcomeCounts(NamedTuple):
    """Outcomes of a number of trials, counted.

    Python integers and int64 NumPy arrays on the host; ``a + b`` adds two of them field by field,
    without overflow.

    K is the set of individually recoverable clients of a trial. Fields, [] where not said:

    * ``trials``: trials counted.
    * ``gc``: the standard decoder recovered the exact average.
    * ``gc_plus_full``, ``gc_plus_partial``: the complementary decoder's exact and partial averages.
    * ``row_space_exact``, ``row_space_partial``: likewise of the row-space decoder.
    * ``all_individuals``: trials with K = all clients.
    * ``rank_sum``: sum of the ranks of the stacks.
    * ``num_recovered`` [clients + 1]: trials with ``|K| = n``.
    * ``client_recovered`` [clients]: trials with k in K.
    * ``gc_plus_partial_recovered`` [clients, clients + 1]: entry [k, n] = trials with a partial
      average of the complementary decoder, ``|K| = n`` and k in K.
    * ``row_space_partial_recovered`` [clients, clients + 1]: likewise of the row-space decoder.

    >>> total = OutcomeCounts.zero(3)._replace(trials=5, gc=2)
    >>> (total + total).trials, (total + total).gc
    (10, 4)
    """

    trials: int
    gc: int
    gc_plus_full: int
    gc_plus_partial: int
    row_space_exact: int
    row_space_partial: int
    all_individuals: int
    rank_sum: int
    num_recovered: Int64[np.ndarray, "clients+1"]
    client_recovered: Int64[np.ndarray, "clients"]
    gc_plus_partial_recovered: Int64[np.ndarray, "clients clients+1"]
    row_space_partial_recovered: Int64[np.ndarray, "clients clients+1"]

    @classmethod
    def zero(cls, num_clients: int) -> OutcomeCounts:
        """No trial at all: Python ints and int64 NumPy arrays on the host.

        >>> OutcomeCounts.zero(3).num_recovered
        array([0, 0, 0, 0])
        """
        return cls(
            *(0, 0, 0, 0, 0, 0, 0, 0),
            np.zeros(num_clients + 1, np.int64),
            np.zeros(num_clients, np.int64),
            np.zeros((num_clients, num_clients + 1), np.int64),
            np.zeros((num_clients, num_clients + 1), np.int64),
        )

    def __add__(self, other: object) -> OutcomeCounts:
        """Sum of two counts of the same number of clients, on the host."""
        if not isinstance(other, OutcomeCounts):  # never a tuple's concatenation
            raise TypeError(f"only OutcomeCounts add to OutcomeCounts, got {type(other).__name__}")
        return OutcomeCounts(*map(_add, self._fields, self, other))


def _add(name: str, ours: Any, theirs: Any) -> Any:
    if np.shape(ours) != np.shape(theirs):
        raise ValueError(
            f"counts of different numbers of clients do not add: {name} has shapes "
            f"{np.shape(ours)} and {np.shape(theirs)}"
        )
    if np.ndim(ours) == 0:
        return int(ours) + int(theirs)
    return np.asarray(ours).astype(np.int64) + np.asarray(theirs).astype(np.int64)


@dataclasses.dataclass(frozen=True, eq=False)
class Outcomes(ByOutcome[Estimate]):
    """Probabilities of what a round recovers; the vocabulary of the result files.

    Each ``Estimate`` is a float with its interval; arrays are float64 NumPy without interval.

    * ``gc_outage``: the standard decoder does not recover the exact average.
    * ``gc_plus_full``, ``gc_plus_partial``, ``gc_plus_none``: the complementary decoder recovers
      the exact average, a partial one, nothing.
    * ``row_space_exact``, ``row_space_partial``, ``row_space_none``: likewise, row-space decoder.
    * ``all_individuals``: every client is individually recoverable.
    * ``mean_rank``: mean rank of the stack of received matrices.
    * ``num_recovered_pmf`` [clients + 1]: P(``|K| = n``), K the recoverable clients.
    * ``client_recovered`` [clients]: P(k in K).
    * ``gc_plus_weight``, ``row_space_weight`` [clients]: mean coefficient of client k in the
      decoder's average (normalised by ``|K|`` when partial, 0 when the server holds).
    * ``trials``: trials counted; None when the values are exact.
    * ``custom``: outcomes of the caller's own, by name.
    * ``plain_trials_worth``: by outcome, how many plain trials one stratified trial was worth: the
      variances of the two estimates, divided. None where that cannot be said (an outcome of known
      probability, or seen always or never), or where trials are plain.
    """

    mean_rank: float
    num_recovered_pmf: Float64[np.ndarray, "clients+1"]
    client_recovered: Float64[np.ndarray, "clients"]
    gc_plus_weight: Float64[np.ndarray, "clients"]
    row_space_weight: Float64[np.ndarray, "clients"]
    trials: int | None
    custom: Mapping[str, Estimate] = dataclasses.field(default_factory=dict)
    plain_trials_worth: Mapping[str, float | None] | None = None

    @property
    def gc_plus_outage(self) -> Estimate:
        """The complementary decoder does not recover the exact average."""
        return self.gc_plus_full.complement()

    @property
    def row_space_outage(self) -> Estimate:
        """The row-space decoder does not recover the exact average."""
        return self.row_space_exact.complement()

    def to_pandas(self) -> pandas.DataFrame:
        """A line for each outcome: the estimate, its interval, method and level."""
        import pandas

        found = self.estimates() | dict(self.custom)
        ends = ("best", "low", "high", "method", "level")
        lines = {name: [getattr(e, end) for end in ends] for name, e in found.items()}
        frame = pandas.DataFrame.from_dict(lines, orient="index", columns=list(ends))
        return frame.rename_axis("outcome")

    def _repr_html_(self) -> str:
        """What a notebook shows of it: the table, and from how many trials."""
        trials = "exact" if self.trials is None else f"{self.trials:,} trials"
        return f"{self.to_pandas().to_html(float_format='{:.4g}'.format)}<p>{trials}</p>"

    def outages(self) -> dict[str, Estimate]:
        """By decoder, the probability that it does not have the exact average."""
        return self.no_exact_average(Estimate.complement)

    def estimates(self) -> dict[str, Estimate]:
        """By name all of `jaxcogc.names.EVENTS`: outages first."""
        return self.events(Estimate.complement)


def outcomes_from_counts(
    counts: OutcomeCounts, *, level: float = 0.95, interval: str = "clopper-pearson"
) -> Outcomes:
    """Rates, intervals and mean coefficients from counts.

    Args:
      counts: counts of at least one trial.
      level: confidence level of every interval, strictly between 0 and 1.
      interval: ``"clopper-pearson"`` or ``"wilson"``.

    Returns:
      Outcomes; the complementary events (an outage, nothing recovered) are counted themselves,
      so small ones keep their digits.

    Raises:
      ValueError: no trial was counted, or the level or method is not allowed.

    >>> counts = OutcomeCounts.zero(2)._replace(trials=4, gc=3, gc_plus_full=3, row_space_exact=3)
    >>> outcomes = outcomes_from_counts(counts)
    >>> float(outcomes.gc_outage), outcomes.trials
    (0.25, 4)
    """
    trials = int(counts.trials)

    def rate(num_events: int) -> Estimate:
        return estimate(num_events, trials, level=level, interval=interval)

    events = counted(counts._asdict())
    return Outcomes(
        **{name: rate(int(number)) for name, number in events.by_name().items()},
        custom={},
        plain_trials_worth=None,
        mean_rank=int(counts.rank_sum) / trials,
        num_recovered_pmf=np.asarray(counts.num_recovered, np.float64) / trials,
        client_recovered=np.asarray(counts.client_recovered, np.float64) / trials,
        gc_plus_weight=mean_weight(events.gc_plus_full, counts.gc_plus_partial_recovered) / trials,
        row_space_weight=mean_weight(events.row_space_exact, counts.row_space_partial_recovered)
        / trials,
        trials=trials,
    )


def mean_weight(exact: float, partial_recovered: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Summed coefficient of every client: 1/M when exact, 1/``|K|`` on K when partial.

    Args:
      exact: number (or probability) of exact averages.
      partial_recovered: [clients, clients + 1], number (or probability) of partial averages
        with ``|K| = n`` and k in K.

    Returns:
      [clients] float64; divide by the number of trials for the mean.

    Source: docs/mathematics/schemes.md, "Effective weights".

    >>> mean_weight(1, [[0, 1, 0], [0, 0, 0]])
    array([1.5, 0.5])
    """
    table = np.asarray(partial_recovered, np.float64)
    num_clients = table.shape[0]
    partial = table[:, 1:] @ (1.0 / np.arange(1, num_clients + 1))
    return np.asarray(exact / num_clients + partial, np.float64)


def outcomes_to_dict(outcomes: Outcomes) -> dict[str, Any]:
    """The result as a dictionary that ``json.dumps`` takes: outages, then the fields in order.

    An ``Estimate`` becomes ``{"low", "best", "high"}``, an array a list of floats; ``trials`` is
    None for exact values. Method and level are the run's, and written beside it by the caller.

    >>> counts = OutcomeCounts.zero(2)._replace(trials=4, gc=4)
    >>> outcomes_to_dict(outcomes_from_counts(counts))["gc_outage"]["low"]
    0.0
    """
    names = [field.name for field in dataclasses.fields(outcomes)]
    return {
        name: _json_ready(getattr(outcomes, name))
        for name in dict.fromkeys([*OUTAGES, *names])
        if name not in ("custom", "plain_trials_worth") or getattr(outcomes, name)
    }


def _json_ready(value: Any) -> Any:
    if isinstance(value, Estimate):
        return value.to_dict()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return {name: _json_ready(part) for name, part in value.items()}
    return value
