"""The kernel for GPUs, interpreted on the CPU: bit for bit what the XLA program gives."""

from functools import partial

import jax
import numpy as np
import pytest

from jaxcogc.coding.codes import cyclic_code, cyclic_mds_code
from jaxcogc.coding.exact import gram, pallas_kernel
from jaxcogc.coding.exact import null_vector as modular
from tests.coding.stacks import QUICK

TRIALS = 256
gram_terms = jax.jit(gram.gram_terms, static_argnums=1)


def random_stacks(code, num_attempts):
    clients = code.num_clients
    random = np.random.default_rng(clients)
    rows = random.integers(0, 2**clients, (1, num_attempts, clients, TRIALS), np.uint32)
    rows = np.where(random.random(rows.shape) < 0.4, 0, rows).astype(np.uint32)
    elements = random.integers(0, code.modulus, (clients, TRIALS), np.uint32)
    coefficients = np.broadcast_to(code.field_matrix, (num_attempts, clients, clients))
    return rows, gram_terms(coefficients, code.modulus), elements


@pytest.mark.parametrize(
    ("code", "num_attempts"),
    [(cyclic_code(jax.random.key(0), 3, 1), 2), (cyclic_mds_code(3, 2), 1)],
    ids=["cyclic-M3-A2", "montgomery-M3-A1"],
)
def test_interpreted_kernel_equals_the_xla_program(code, num_attempts):
    rows, terms, elements = random_stacks(code, num_attempts)
    jit = partial(jax.jit, static_argnums=3, compiler_options=QUICK)
    expected = jit(modular.null_vector)(rows, terms, elements, code.modulus)
    interpreted = partial(pallas_kernel.null_vector, interpret=True)
    vector, rank = jit(interpreted)(rows, terms, elements, code.modulus)
    np.testing.assert_array_equal(vector, expected[0])
    np.testing.assert_array_equal(rank, expected[1])
    assert len(np.unique(rank)) > 2, "the stacks do not exercise different ranks"


@pytest.mark.parametrize(("clients", "trials"), [(17, 128), (4, 100)])
def test_sizes_without_room_are_refused(clients, trials):
    code = gram_terms(np.ones((1, clients, clients), np.uint32), 7)
    rows = np.zeros((1, 1, clients, trials), np.uint32)
    with pytest.raises(ValueError, match=f"{clients} clients and {trials} trials"):
        pallas_kernel.null_vector(rows, code, np.zeros((clients, trials), np.uint32), 7)


def test_kernel_lowers_for_a_gpu():
    """Down to the kernel's own intermediate code; no GPU is needed for that."""
    code = cyclic_code(jax.random.key(0), 4, 1)
    rows, terms, elements = random_stacks(code, 1)
    traced = jax.jit(lambda *x: pallas_kernel.null_vector(*x, code.modulus)).trace(
        rows, terms, elements
    )
    try:
        text = traced.lower(lowering_platforms=("cuda",)).as_text()
    except RuntimeError as error:  # newer releases want to know the very GPU
        pytest.skip(f"this release lowers for a GPU only where one is described: {error}")
    assert "triton" in text
