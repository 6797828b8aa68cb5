"""A bound beside a training run: the gradients by hand, the bound above them, the picture."""

from dataclasses import replace

import jax
import numpy as np
import pytest

from jaxcogc import Network, convergence_bound, make_partition
from jaxcogc.federated.aggregation.link_evidence import LinkPolicy
from jaxcogc.federated.aggregation.round_keys import initial_key
from jaxcogc.federated.convergence.bound import LocalSteps
from jaxcogc.federated.convergence.partial_averages import draw_rounds
from jaxcogc.federated.data.datasets import Dataset
from jaxcogc.federated.models import make_model
from jaxcogc.federated.rounds.experiment import RoundSettings
from jaxcogc.figures.bound import bound_figure
from jaxcogc.figures.style import figure_bytes
from jaxcogc.training.bound_and_run import bound_beside_training
from jaxcogc.training.plan import TrainingPlan

SCHEMES = ("ideal", "intermittent")  # no code: a short compilation


@pytest.fixture(scope="module")
def plan() -> TrainingPlan:
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(40, 3)).astype(np.float32)
    labels = rng.integers(0, 2, 40).astype(np.int32)
    dataset = Dataset("made up", inputs, labels, inputs[:5], labels[:5], 2)
    return TrainingPlan(
        dataset=dataset,
        partition=make_partition(0, labels, 4, kind="size-skew", alpha=1.0),
        model="softmax",
        network=Network.homogeneous(4, uplink_erasure=0.3, peer_erasure=0.3),
        code=None,
        settings=RoundSettings(SCHEMES, LinkPolicy(), local_steps=2, batch_size=4, block_rounds=8),
        rounds=12,
        seeds=(0, 1),
        learning_rate=0.02,
    )


@pytest.fixture(scope="module")
def curves(plan):
    drawn = draw_rounds(jax.random.key(1), plan.network, None, schemes=SCHEMES, num_trials=2000)
    return bound_beside_training(plan, drawn)


def gradient_by_hand(plan: TrainingPlan, seed: int) -> float:
    """||grad F||^2 of softmax regression at a seed's start, in NumPy."""
    key = initial_key(jax.random.key(seed, impl="threefry2x32"))
    params = make_model("softmax", (3,), 2).init(key)["output"]
    total: list[np.ndarray] = []
    for row, size in zip(plan.partition.indices, plan.partition.num_samples, strict=True):
        x, y = plan.dataset.train_inputs[row[:size]], plan.dataset.train_labels[row[:size]]
        logits = x @ np.asarray(params["kernel"]) + np.asarray(params["bias"])
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        error = odds / odds.sum(axis=1, keepdims=True) - np.eye(2)[y]
        total.append(np.concatenate([(x.T @ error).ravel(), error.sum(axis=0)]) / size)
    return float((np.mean(total, axis=0) ** 2).sum())


@pytest.mark.slow
def test_first_round_by_hand(plan, curves) -> None:
    for seed in (0, 1):
        expected = gradient_by_hand(plan, seed)
        for curve in curves.values():
            assert curve.measured[seed, 0] == pytest.approx(expected, rel=1e-4)


@pytest.mark.slow
def test_the_bound_is_above(plan, curves) -> None:
    for curve in curves.values():
        assert curve.measured.shape == (2, 12)
        assert (curve.bound >= curve.measured.mean(axis=0)).all()
        last = convergence_bound(
            curve.constants,
            LocalSteps(0.02, 1.0, 2),
            num_clients=4,
            num_rounds=12,
            hold_probability=curve.hold,
            rho=curve.rho,
        )
        assert curve.bound[-1] == pytest.approx(last.value)
    assert curves["ideal"].rho == 0 < curves["intermittent"].rho
    assert curves["ideal"].hold == 0 < curves["intermittent"].hold


@pytest.mark.slow
def test_every_round_must_be_evaluated(plan) -> None:
    seldom = replace(plan, settings=replace(plan.settings, evaluate_every=2))
    with pytest.raises(ValueError, match="evaluate_every = 2: allowed is 1"):
        bound_beside_training(seldom, {})


@pytest.mark.slow
def test_picture(curves) -> None:
    figure = bound_figure(curves, title="the title", caption="the caption")
    for axes, (scheme, curve) in zip(figure.axes, curves.items(), strict=True):
        assert axes.get_title(loc="left").startswith(scheme)
        measured, bound = axes.lines[:2]
        np.testing.assert_allclose(measured.get_ydata(), curve.measured.mean(axis=0))
        np.testing.assert_allclose(bound.get_ydata(), curve.bound)
        assert axes.lines[2].get_ydata()[0] == curve.floor < curve.bound[-1]
    assert len(figure_bytes(figure, ".png")) > 1000
