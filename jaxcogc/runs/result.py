"""What came out of a run of training."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import jax
import pandas as pd

from jaxcogc._types import PyTree
from jaxcogc.figures.style import Figure, write_figure
from jaxcogc.figures.training import accuracy_figure
from jaxcogc.links.network_description import LinkSpread, describe_network
from jaxcogc.training.metrics_table import metrics_table
from jaxcogc.training.plan import TrainingPlan
from jaxcogc.training.summary import SchemeSummary, SeedInterval, difference, summarize
from jaxcogc.training.trained import NonFiniteUpdate, Trained


@dataclass(frozen=True, eq=False)
class TrainingResult:
    """What came out of a run of training.

    Attributes:
      plan: what was run.
      trained: where it stands: parameters and metrics [seeds, schemes, ..].
      folder: where it is kept; None: nowhere.
      non_finite: the update that ended the run; None: it came to its end, or was stopped.
      compile_seconds: what tracing and compiling took.
      device: the devices it ran on, in words.
    """

    plan: TrainingPlan
    trained: Trained
    folder: Path | None
    non_finite: NonFiniteUpdate | None
    compile_seconds: float
    device: str

    @property
    def metrics(self) -> pd.DataFrame:
        """Every round of every scheme and seed: [rounds x schemes x seeds]."""
        end = None if self.non_finite is None else self.non_finite.round
        return metrics_table(self.plan, self.trained, num_rounds=end)

    def params(self, scheme: str, seed: int) -> PyTree:
        """The parameters at the end, as the model takes them.

        Raises:
          ValueError: a scheme or a seed that was not run, or an update that was not finite ended
            the run.
        """
        if self.non_finite is not None:
            raise ValueError(f"no parameters: {self._end()}")
        schemes, seeds = self.plan.settings.schemes, self.plan.seeds
        if scheme not in schemes or seed not in seeds:
            raise ValueError(f"{scheme!r}, seed {seed}: allowed are {schemes} and {seeds}")
        place = seeds.index(seed), schemes.index(scheme)
        return jax.tree.map(lambda x: x[place], self.trained.state.params)

    @property
    def summary(self) -> dict[str, SchemeSummary]:
        """Every scheme in a few numbers.

        Raises:
          ValueError: the first round had an update that was not finite, which ended the run.
        """
        return summarize(self.plan, self._sound)

    def difference(self, scheme: str, other: str, metric: str | None = None) -> SeedInterval:
        """How far one scheme is above another at the last evaluation, seed by seed.

        All schemes of a seed see the same links, data and initial parameters, so that differences
        usually vary less than the schemes do.

        Args:
          scheme, other: names of schemes that were run.
          metric: name of a metric, or "loss"; None: the first.

        Returns:
          The mean difference, and its Student-t interval over seeds.

        Raises:
          ValueError: a scheme or a metric that was not run.
        """
        return difference(self.plan, self._sound, scheme, other, metric)

    def figure(self, title: str | None = None) -> Figure:
        """The first metric (else the loss) against rounds, and against what they cost.

        Args:
          title: None: what is drawn, how many clients, and what their links lose.
        """
        title = self._title() if title is None else title
        seeds = len(self.plan.seeds)
        sound = self._sound
        caption = f"{sound.round_index} rounds; means over {seeds} seeds"
        caption += ", 95 % Student-t intervals" if seeds > 1 else ""
        return accuracy_figure(self.plan, sound, title=title, caption=caption)

    def write_picture(self, path: str | Path, title: str | None = None) -> None:
        """The same as a file, of the kind its ending says."""
        write_figure(self.figure(title), path)

    @property
    def _sound(self) -> Trained:
        """Without the rounds from an update on that was not finite."""
        if self.non_finite is None:
            return self.trained
        if self.non_finite.round == 0:
            raise ValueError(f"no round is left: {self._end()}")
        return self.trained._replace(round_index=self.non_finite.round)

    def _end(self) -> str:
        assert self.non_finite is not None
        number, scheme, seed, client = self.non_finite
        return (
            f"the update of client {client} was not finite in round {number} of {scheme}, seed "
            f"{seed}, and ended the run"
        )

    def _title(self) -> str:
        measured, network = next(iter(self.plan.metrics), "loss"), self.plan.network
        found = describe_network(network)
        uplink, peer = _lost(found.uplink), _lost(found.peer)
        where = f"{network.num_clients} clients, uplinks that lose {uplink}, others {peer}"
        return f"Test {measured.replace('_', ' ')}: {where}"


def _lost(spread: LinkSpread) -> str:
    """Erasure probabilities in per cent.

    >>> _lost(LinkSpread(0.1, 0.5, 0.5, 0.9)), _lost(LinkSpread(0.25, 0.25, 0.25, 0.25))
    ('10 to 90 %', '25 %')
    """
    low, high = f"{100 * spread.lowest:.3g}", f"{100 * spread.highest:.3g}"
    return f"{low} %" if low == high else f"{low} to {high} %"
