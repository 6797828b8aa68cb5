"""A user's settings of JAX change no number and are no error, in Python and on the command line."""

import json
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcogc.runtime.jax_settings import under_plain_settings
from tests.cli.program import environment
from tests.places import PROJECT

PROGRAM = """
import json, jax, numpy as np
import jaxcogc
from jaxcogc import coding, outage

with jax.transfer_guard("allow"):
    key = jax.random.key(7)
network = jaxcogc.Network.homogeneous(4, uplink_erasure=0.3, peer_erasure=0.2)
code = jaxcogc.cyclic_code(key, 4, 2)
links = jaxcogc.draw_links(key, network, 2)
updates = np.arange(12.0).reshape(4, 3)
found = [
    code.matrix, links, jaxcogc.recover(key, code, links), jaxcogc.encode(code, links, updates),
    coding.gc_weights(code, links), coding.gc_plus_weights(code, links),
    coding.row_space_weights(code, links), outage.closed_form(network, code),
    jaxcogc.simulate_outcomes(key, network, code, num_trials=3000, num_attempts=2),
    jaxcogc.enumerate_outcomes(network, code),
    outage.structure(key, network, code, num_trials=10),
    coding.redraw(key, code, 2).matrix,
]
print(json.dumps([np.asarray(leaf).tolist() for leaf in jax.tree.leaves(found)], default=repr))
"""
SETTINGS = {
    "rbg": {"JAX_DEFAULT_PRNG_IMPL": "rbg"},
    "partitionable": {"JAX_THREEFRY_PARTITIONABLE": "0"},
    "unsafe rbg, all errors": {
        "JAX_DEFAULT_PRNG_IMPL": "unsafe_rbg",
        "JAX_NUMPY_DTYPE_PROMOTION": "strict",
        "JAX_NUMPY_RANK_PROMOTION": "raise",
        "JAX_TRANSFER_GUARD": "disallow",
        "JAX_DEBUG_NANS": "1",
        "JAX_DEBUG_INFS": "1",
    },
}
VERB = ("-m", "jaxcogc", "outage", "--clients", "4", "--stragglers", "2", "--trials", "2000")


def run(arguments: list[str], settings: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=PROJECT,
        env=environment(**settings),
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def plain() -> str:
    return run(["-c", PROGRAM], {})


@pytest.mark.slow
@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_python_gives_the_same_numbers(plain: str, settings: dict[str, str]) -> None:
    assert json.loads(run(["-c", PROGRAM], settings)) == json.loads(plain)


def test_no_number_is_no_error() -> None:
    """NaN stands for no value: training has some where a round was held."""
    divide = under_plain_settings(lambda x, y: jax.jit(jnp.divide)(x, y))
    trace = under_plain_settings(lambda look: jax.jit(look)(1.0))
    traced: list[bool] = []
    with jax.debug_nans(True), jax.debug_infs(True), jax.disable_jit():
        assert np.isnan(divide(0.0, 0.0))
        assert np.isinf(divide(1.0, 0.0))
        trace(lambda x: traced.append(isinstance(x, jax.core.Tracer)))
    assert traced == [True]


@pytest.mark.slow
def test_the_command_line_gives_the_same_numbers(tmp_path: Path) -> None:
    found = []
    for number, settings in enumerate([{}, SETTINGS["unsafe rbg, all errors"]]):
        path = tmp_path / f"{number}.json"
        run([*VERB, "--quiet", "--json", str(path)], settings)
        row = json.loads(path.read_text())
        found.append({k: v for k, v in row.items() if "second" not in k and k != "command"})
    assert found[0] == found[1]
    assert 0 < found[0]["gc_outage"]["best"] < 1
