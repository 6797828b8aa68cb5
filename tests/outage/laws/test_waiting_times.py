"""Times of stragglers and slots of retransmission."""

import itertools
import json
from fractions import Fraction

import numpy as np
import pytest

from jaxcogc import Network, decoding_time, retransmission_slots
from tests.places import SHARED


def harmonic(number: int) -> float:
    return float(sum(Fraction(1, i) for i in range(1, number + 1)))


@pytest.mark.skipif(not SHARED.exists(), reason="the reference values lie beside the project")
def test_times_of_an_independent_program() -> None:
    cases = json.loads((SHARED / "reference" / "extensions.json").read_text())["cases"]
    found = [case for case in cases if case["topic"] == "F" and "rate_per_second" in case]
    assert len(found) == 2
    for case in found:
        given = {"num_stragglers": case["stragglers"], "shift": case["shift_seconds"]}
        cyclic = decoding_time(case["rate_per_second"], **given)
        blocks = decoding_time(case["rate_per_second"], code="fractional-repetition", **given)
        told = case["expected"]
        assert cyclic.mean == pytest.approx(told["mean_time_cyclic"], rel=1e-12)
        assert blocks.mean == pytest.approx(told["mean_time_fractional_repetition"], rel=1e-12)
        for law, name in ((cyclic, "decoded_by"), (blocks, "decoded_by_fractional_repetition")):
            times = np.array([float(t) for t in told[name]])
            np.testing.assert_allclose(
                law.probability_by(times), list(told[name].values()), rtol=1e-12
            )


@pytest.mark.skipif(not SHARED.exists(), reason="the reference values lie beside the project")
def test_slots_of_an_independent_program() -> None:
    cases = json.loads((SHARED / "reference" / "extensions.json").read_text())["cases"]
    (case,) = (case for case in cases if "max_tries" in case)
    peer = np.zeros((3, 3))
    slots = retransmission_slots(Network(case["uplink_erasure"], peer), case["max_tries"])
    assert slots.parallel == pytest.approx(case["expected"]["mean_slots_parallel"], rel=1e-13)
    assert slots.shared == pytest.approx(case["expected"]["mean_slots_shared"], rel=1e-13)


@pytest.mark.parametrize(
    ("clients", "stragglers"), [(1, 0), (4, 0), (4, 3), (12, 3), (300, 10), (300, 290)]
)
@pytest.mark.parametrize("rate", [1e-7, 3.0, 1e9])
def test_equal_rates_have_closed_forms(clients: int, stragglers: int, rate: float) -> None:
    law = decoding_time([rate] * clients, num_stragglers=stragglers, shift=0.5 / rate)
    expected = 0.5 + harmonic(clients) - harmonic(stragglers)
    assert law.mean * rate == pytest.approx(expected, rel=1e-12)
    if clients % (stragglers + 1) == 0:
        law = decoding_time(
            [rate] * clients, num_stragglers=stragglers, code="fractional-repetition"
        )
        size = stragglers + 1
        assert law.mean * rate == pytest.approx(harmonic(clients // size) / size, rel=1e-12)


def test_the_last_of_unlike_rows_by_inclusion_and_exclusion() -> None:
    rates = [1e-6, 0.3, 2.0, 5e4]
    last = sum(
        (-1) ** (size + 1) / sum(chosen)
        for size in range(1, 5)
        for chosen in itertools.combinations(rates, size)
    )
    assert decoding_time(rates, num_stragglers=0).mean == pytest.approx(last, rel=1e-12)
    first = decoding_time(rates, num_stragglers=3).mean
    assert first == pytest.approx(1 / sum(rates), rel=1e-12)


def test_times_agree_with_draws() -> None:
    """Fails by chance once in a million seeds or so; the seed is fixed."""
    rates, stragglers, shift = np.array([0.5, 1.0, 2.0, 2.0, 4.0, 8.0]), 1, 0.2
    times = shift + np.random.default_rng(0).exponential(1 / rates, (200_000, 6))
    decoded = {
        "cyclic": np.sort(times, axis=1)[:, 5 - stragglers],
        "fractional-repetition": times.reshape(-1, 3, 2).min(-1).max(-1),
    }
    for code, drawn in decoded.items():
        law = decoding_time(rates, num_stragglers=stragglers, shift=shift, code=code)
        assert abs(drawn.mean() - law.mean) < 5 * drawn.std() / len(drawn) ** 0.5
        for seconds in (0.3, 0.7, 1.5):
            expected = float(law.probability_by(seconds))
            spread = (expected * (1 - expected) / len(drawn)) ** 0.5
            assert abs((drawn <= seconds).mean() - expected) < 5 * spread


def test_the_probability_grows_from_0_to_1() -> None:
    for code in ("cyclic", "fractional-repetition"):
        law = decoding_time([1.0, 0.1, 3.0, 2.0], num_stragglers=1, shift=1.0, code=code)
        values = law.probability_by(np.linspace(0.0, 40.0, 1000))
        assert (np.diff(values) >= -1e-15).all()  # up to rounding
        assert law.probability_by([-1.0, 1.0, np.inf]).tolist() == [0.0, 0.0, 1.0]


def test_more_stragglers_never_wait_longer() -> None:
    means = [decoding_time([1.0, 0.1, 3.0, 2.0], num_stragglers=s).mean for s in range(4)]
    assert sorted(means, reverse=True) == means


def test_slots_agree_with_draws() -> None:
    erasure, tries = np.array([0.1, 0.5, 0.8, 1.0, 0.0]), 6
    slots = retransmission_slots(Network(erasure[:3], np.zeros((3, 3))), tries)
    source = np.random.default_rng(1)
    made = np.minimum(source.geometric(1 - erasure[:3], (200_000, 3)), tries)
    for drawn, expected in ((made.max(1), slots.parallel), (made.sum(1), slots.shared)):
        assert abs(drawn.mean() - expected) < 5 * drawn.std() / len(drawn) ** 0.5
    certain = retransmission_slots(Network(erasure, np.zeros((5, 5))), tries)
    assert certain.parallel == tries  # one client is never heard
    once = retransmission_slots(Network(erasure, np.zeros((5, 5))), 1)
    assert once == (1.0, 5.0)
    always = retransmission_slots(Network(np.zeros(2), np.zeros((2, 2))), 1000)
    assert always == (1.0, 2.0)


def test_many_tries_are_those_of_geometric_times() -> None:
    slots = retransmission_slots(Network([0.9, 0.5], np.zeros((2, 2))), 10**6)
    assert slots.shared == pytest.approx(10 + 2, rel=1e-12)
    assert slots.parallel == pytest.approx(10 + 2 - 1 / (1 - 0.45), rel=1e-12)


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"rates": [1.0, 0.0]}, r"rates\[1\] = 0.0: allowed is a finite number above 0"),
        ({"rates": [1.0, np.inf]}, r"rates\[1\] = inf"),
        ({"rates": []}, "rates has shape"),
        ({"rates": [[1.0]]}, "rates has shape"),
        ({"shift": -1.0}, "shift = -1.0: allowed is"),
        ({"shift": np.nan}, "shift = nan: allowed is"),
        ({"num_stragglers": 4}, "num_stragglers = 4: allowed is an integer in 0..3"),
        ({"num_stragglers": 2, "code": "fractional-repetition"}, "num_stragglers = 2: allowed"),
        ({"code": "cylic"}, "code = 'cylic': allowed are .*did you mean 'cyclic'"),
    ],
)
def test_wrong_arguments_are_named(given: dict, line: str) -> None:
    arguments = {"rates": [1.0, 2.0, 3.0, 4.0], "num_stragglers": 1, **given}
    with pytest.raises(ValueError, match=line):
        decoding_time(arguments.pop("rates"), **arguments)


def test_wrong_times_and_tries_are_named() -> None:
    with pytest.raises(ValueError, match="seconds = nan: allowed is a number"):
        decoding_time([1.0], num_stragglers=0).probability_by(np.nan)
    network = Network([0.5], [[0.0]])
    for tries in (0, 2.5, 10**6 + 1):
        with pytest.raises(ValueError, match=r"max_tries = .*: allowed is an integer in"):
            retransmission_slots(network, tries)
