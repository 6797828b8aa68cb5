"""Gradient coding over unreliable links: how often is the global update recovered?

The public names below are loaded on first use, so that `import jaxcogc` (and `jaxcogc --help`)
does not pay for JAX. `_HOME` is the one table that says where each name lives.

>>> import jaxcogc
>>> network = jaxcogc.Network.homogeneous(4, uplink_erasure=0.3, peer_erasure=0.1)
>>> network.num_clients
4
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from jaxcogc.coding.codes import GradientCode as GradientCode
    from jaxcogc.coding.codes import cyclic_code as cyclic_code
    from jaxcogc.coding.codes import cyclic_mds_code as cyclic_mds_code
    from jaxcogc.coding.codes import fractional_repetition_code as fractional_repetition_code
    from jaxcogc.coding.codes import uncoded as uncoded
    from jaxcogc.coding.decoding import gc_plus_weights as gc_plus_weights
    from jaxcogc.coding.decoding import gc_weights as gc_weights
    from jaxcogc.coding.decoding import least_squares_coefficients as least_squares_coefficients
    from jaxcogc.coding.decoding import row_space_weights as row_space_weights
    from jaxcogc.coding.encoding import encode as encode
    from jaxcogc.coding.encoding import received_matrix as received_matrix
    from jaxcogc.coding.recovery import Recovery as Recovery
    from jaxcogc.coding.recovery import recover as recover
    from jaxcogc.federated.aggregation.rules import Coefficients as Coefficients
    from jaxcogc.federated.aggregation.schemes import Scheme as Scheme
    from jaxcogc.federated.aggregation.schemes import make_scheme as make_scheme
    from jaxcogc.federated.convergence.bound import ConvergenceBound as ConvergenceBound
    from jaxcogc.federated.convergence.bound import LocalSteps as LocalSteps
    from jaxcogc.federated.convergence.bound import LossConstants as LossConstants
    from jaxcogc.federated.convergence.bound import convergence_bound as convergence_bound
    from jaxcogc.federated.convergence.bound import rounds_for_target as rounds_for_target
    from jaxcogc.federated.convergence.learning_rate import best_learning_rate as best_learning_rate
    from jaxcogc.federated.data.datasets import Dataset as Dataset
    from jaxcogc.federated.data.datasets import load_dataset as load_dataset
    from jaxcogc.federated.data.partitions import Partition as Partition
    from jaxcogc.federated.data.partitions import make_partition as make_partition
    from jaxcogc.federated.models import Model as Model
    from jaxcogc.federated.models import make_model as make_model
    from jaxcogc.links.draws import Links as Links
    from jaxcogc.links.draws import draw_links as draw_links
    from jaxcogc.links.network import Network as Network
    from jaxcogc.outage.closed_form import (
        fractional_repetition_outage_probability as fractional_repetition_outage_probability,
    )
    from jaxcogc.outage.closed_form import gc_outage_probability as gc_outage_probability
    from jaxcogc.outage.closed_form import log_gc_outage_probability as log_gc_outage_probability
    from jaxcogc.outage.counts import OutcomeCounts as OutcomeCounts
    from jaxcogc.outage.counts import Outcomes as Outcomes
    from jaxcogc.outage.counts import outcomes_from_counts as outcomes_from_counts
    from jaxcogc.outage.enumeration import enumerate_outcomes as enumerate_outcomes
    from jaxcogc.outage.intervals import Estimate as Estimate
    from jaxcogc.outage.intervals import clopper_pearson as clopper_pearson
    from jaxcogc.outage.intervals import wilson as wilson
    from jaxcogc.outage.rare.rare_events import rare_outcomes as rare_outcomes
    from jaxcogc.outage.rare.weighted_sums import RareOutcomes as RareOutcomes
    from jaxcogc.outage.simulation.monte_carlo import Simulation as Simulation
    from jaxcogc.outage.simulation.monte_carlo import compile_simulation as compile_simulation
    from jaxcogc.outage.simulation.monte_carlo import simulate_outcomes as simulate_outcomes

_HOME = {
    "Network": "links.network",
    "Links": "links.draws",
    "draw_links": "links.draws",
    "GradientCode": "coding.codes",
    "cyclic_code": "coding.codes",
    "cyclic_mds_code": "coding.codes",
    "fractional_repetition_code": "coding.codes",
    "uncoded": "coding.codes",
    "received_matrix": "coding.encoding",
    "encode": "coding.encoding",
    "gc_weights": "coding.decoding",
    "gc_plus_weights": "coding.decoding",
    "row_space_weights": "coding.decoding",
    "least_squares_coefficients": "coding.decoding",
    "Recovery": "coding.recovery",
    "recover": "coding.recovery",
    "gc_outage_probability": "outage.closed_form",
    "log_gc_outage_probability": "outage.closed_form",
    "fractional_repetition_outage_probability": "outage.closed_form",
    "enumerate_outcomes": "outage.enumeration",
    "OutcomeCounts": "outage.counts",
    "Outcomes": "outage.counts",
    "outcomes_from_counts": "outage.counts",
    "Estimate": "outage.intervals",
    "clopper_pearson": "outage.intervals",
    "wilson": "outage.intervals",
    "Simulation": "outage.simulation.monte_carlo",
    "compile_simulation": "outage.simulation.monte_carlo",
    "simulate_outcomes": "outage.simulation.monte_carlo",
    "rare_outcomes": "outage.rare.rare_events",
    "RareOutcomes": "outage.rare.weighted_sums",
    "Coefficients": "federated.aggregation.rules",
    "Scheme": "federated.aggregation.schemes",
    "make_scheme": "federated.aggregation.schemes",
    "Dataset": "federated.data.datasets",
    "load_dataset": "federated.data.datasets",
    "Model": "federated.models",
    "make_model": "federated.models",
    "Partition": "federated.data.partitions",
    "make_partition": "federated.data.partitions",
    "LossConstants": "federated.convergence.bound",
    "LocalSteps": "federated.convergence.bound",
    "ConvergenceBound": "federated.convergence.bound",
    "convergence_bound": "federated.convergence.bound",
    "rounds_for_target": "federated.convergence.bound",
    "best_learning_rate": "federated.convergence.learning_rate",
}
__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'jaxcogc' has no attribute {name!r}")
    value = getattr(import_module(f"jaxcogc.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
