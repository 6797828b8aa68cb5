"""Amplification of payload errors: predicted, and measured on real payloads."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcogc.coding.codes import (
    cyclic_code,
    cyclic_mds_code,
    fractional_repetition_code,
    redraw,
    uncoded,
)
from jaxcogc.coding.conditioning import condition_report, decodable_sets
from jaxcogc.coding.payload_error import (
    measured_error,
    predicted_error,
    rounding_error,
)

KEY = jax.random.key(90)
CODES = {
    "cyclic": cyclic_code(KEY, 8, 3),
    "mds": cyclic_mds_code(8, 3),
    "blocks": fractional_repetition_code(8, 3),
    "uncoded": uncoded(8),
}


@pytest.mark.parametrize("name", CODES)
def test_noise_is_amplified_as_predicted(name):
    """Gaussian noise of relative size 1e-3 on every payload."""
    code = CODES[name]
    sets = decodable_sets(code)
    report = condition_report(code)
    assert np.median(sets.amplification) == pytest.approx(report.median_amplification)
    assert sets.amplification.max() == pytest.approx(report.worst_amplification)
    generator = np.random.default_rng(0)
    norms = np.linalg.norm(code.matrix, axis=1, keepdims=True)
    noise = 1e-3 * norms * generator.standard_normal((8, 20_000))
    error = np.einsum("ni,nip->np", sets.weights, noise[sets.rows])
    relative = np.linalg.norm(error, axis=1) / np.sqrt(8 * 20_000)
    np.testing.assert_allclose(relative, 1e-3 * sets.amplification, rtol=0.05)


@pytest.mark.parametrize("name", CODES)
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16], ids=["float32", "bfloat16"])
def test_rounding_predicted_and_measured(name, dtype):
    code = CODES[name]
    sets = decodable_sets(code)
    predicted = predicted_error(code, dtype, sets)
    measured = measured_error(KEY, code, dtype, sets)
    if name == "uncoded":  # nothing is computed, so nothing is rounded
        assert measured.max() == 0.0
        return
    ratio = measured / predicted
    # What is left out, rounding inside a client's sum of s + 1 products, can only add.
    assert np.quantile(ratio, 0.05) > 0.5
    assert np.quantile(ratio, 0.95) < 3.0


def test_rounding_error_of_a_format():
    numbers = np.exp(np.random.default_rng(1).uniform(0.0, 3 * np.log(2.0), 100_000))
    for dtype in (jnp.float16, jnp.bfloat16):
        rounded = np.asarray(jnp.asarray(numbers, dtype).astype(jnp.float32), np.float64)
        relative = (rounded - numbers) / numbers
        assert np.sqrt(np.mean(relative**2)) == pytest.approx(rounding_error(dtype), rel=0.02)


def test_a_redrawn_code_is_refused():
    with pytest.raises(ValueError, match="redrawn"):
        decodable_sets(redraw(KEY, CODES["cyclic"], 2))
