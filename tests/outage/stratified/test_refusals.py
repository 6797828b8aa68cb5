"""Where the law of the strata does not hold."""

import jax
import pytest

from jaxcogc import (
    LinkDynamics,
    Network,
    cyclic_code,
    fractional_repetition_code,
    simulate_outcomes,
)

SMALL = Network.homogeneous(3, uplink_erasure=0.4, peer_erasure=0.25)
SMALL_CODE = cyclic_code(jax.random.key(0), 3, 1)
TEN = Network.homogeneous(10, uplink_erasure=0.4, peer_erasure=0.25)
RING = Network.homogeneous(4, uplink_erasure=0.4, peer_erasure=0.25, reciprocal=True)


@pytest.mark.parametrize(
    ("network", "code", "options", "line"),
    [
        (SMALL, SMALL_CODE, {"redraw_code": True}, "redraw_code = True: allowed with estimator"),
        (SMALL, SMALL_CODE, {"keep_heard": True}, "keep_heard = True: allowed with estimator"),
        (TEN, fractional_repetition_code(10, 4), {}, "with code fractional-repetition: allowed"),
        (RING, cyclic_code(jax.random.key(0), 4, 2), {}, "'stratified': reciprocal = True with"),
        (SMALL, SMALL_CODE, {"dynamics": LinkDynamics(block_probability=0.1)}, "block_probability"),
        (SMALL, SMALL_CODE, {"links": lambda key, trial: None}, "beside links: allowed"),
        (SMALL, SMALL_CODE, {"outcomes": {"gc": lambda r, _: r.gc}}, "beside outcomes: allowed"),
    ],
)
def test_where_the_law_does_not_hold_it_is_refused(network, code, options, line: str) -> None:
    with pytest.raises(ValueError, match=line) as error:
        simulate_outcomes(
            jax.random.key(5), network, code, num_trials=10, estimator="stratified", **options
        )
    assert "\n" not in str(error.value)
