"""What a user marked as missing never comes back as a number."""

import jax
import numpy as np
import pytest

from jaxcogc import GradientCode, Links, Network, recover, uncoded
from jaxcogc.coding import (
    encode,
    gc_plus_weights,
    gc_weights,
    least_squares_coefficients,
    received_matrix,
    row_space_weights,
)
from jaxcogc.links.fading import mean_snr, rayleigh_erasure

EYE = np.eye(3)
HIDDEN = np.ma.array([0.1, 0.2, 0.3], mask=[False, True, False])
ROWS = [np.zeros(3), np.ma.array([0.1, 0.0, 0.3], mask=[False, False, True]), np.zeros(3)]
PLACES = np.ma.array([[0.0, 1.0], [1.0, 0.0]], mask=[[False, True], [False, False]])
PHYSICS = {"snr_at_reference": 10.0, "path_loss_exponent": 2.0, "rate": 1.0}


@pytest.mark.parametrize(
    "build",
    [
        lambda: Network(HIDDEN, np.zeros((3, 3))),
        lambda: Network(np.zeros(3), np.ma.array(np.zeros((3, 3)), mask=EYE)),
        lambda: Network(list(HIDDEN), np.zeros((3, 3))),
        lambda: Network(np.zeros(3), ROWS),
        lambda: Network.homogeneous(3, uplink_erasure=np.ma.masked, peer_erasure=0.1),
        lambda: Network.homogeneous(3, uplink_erasure=0.1, peer_erasure=HIDDEN[1]),
        lambda: Network.from_snr(HIDDEN, np.ones((3, 3)), rate=1.0),
        lambda: Network.from_snr(np.ones(3), ROWS, rate=1.0),
        lambda: Network.from_positions(PLACES, [0.0, 0.0], **PHYSICS),
        lambda: Network.from_positions([[0.0, 1.0]], PLACES[0], **PHYSICS),
        lambda: rayleigh_erasure(1.0, HIDDEN),
        lambda: mean_snr(HIDDEN, snr_at_reference=1.0, reference_distance=1, path_loss_exponent=2),
        lambda: GradientCode.from_matrix(np.ma.array(EYE, mask=EYE[::-1])),
        lambda: GradientCode.from_matrix([np.ma.array(row, mask=row) for row in EYE]),
    ],
)
def test_masked_entries_are_refused(build):
    with pytest.raises(ValueError, match="has masked entries: allowed is a number everywhere"):
        build()


def test_a_masked_array_without_masked_entries_is_an_array():
    network = Network(np.ma.array([0.1, 0.2]), np.ma.zeros((2, 2)))
    assert network == Network([0.1, 0.2], np.zeros((2, 2)))
    code = GradientCode.from_matrix(np.ma.array(EYE, mask=False))
    assert code == GradientCode.from_matrix(EYE)


@pytest.mark.parametrize("value", [None, float("nan")])
def test_other_marks_of_missing_values_are_refused_too(value):
    """Also where they stand in an array of objects, as pandas makes them."""
    for values in ([0.1, value], np.array([0.1, value], object)):
        with pytest.raises(ValueError, match="uplink_erasure"):
            Network(values, np.zeros((2, 2)))


@pytest.mark.parametrize(
    "decode",
    [
        gc_weights,
        gc_plus_weights,
        row_space_weights,
        least_squares_coefficients,
        received_matrix,
        lambda code, links: recover(jax.random.key(0), code, links),
        lambda code, links: encode(code, links, np.ones((3, 2))),
    ],
)
def test_links_that_were_not_seen_are_refused(decode):
    """JAX itself takes no masked array; what is asked of it reaches JAX with the mask."""
    unseen = np.ma.array(np.ones((1, 3), bool), mask=[[False, True, False]])
    peer = np.ones((1, 3, 3), bool)
    for links in (Links(unseen, peer), Links(peer[:, 0], np.ma.array(peer, mask=[EYE]))):
        with pytest.raises(ValueError, match="masked"):
            decode(uncoded(3), links)


def test_updates_with_a_mask_are_refused():
    links = Links(np.ones((1, 3), bool), np.ones((1, 3, 3), bool))
    with pytest.raises(ValueError, match="masked"):
        encode(uncoded(3), links, np.ma.array(EYE, mask=EYE))
