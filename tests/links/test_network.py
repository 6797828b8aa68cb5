import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcogc.links.fading import mean_snr, rayleigh_erasure
from jaxcogc.links.network import Network

UPLINK = [0.1, 0.2, 0.3]
PEER = [[0.0, 0.5, 0.25], [0.125, 0.0, 1.0], [0.75, 0.0, 0.0]]


def _changed(matrix, m, k, value):
    return [
        [value if (i, j) == (m, k) else x for j, x in enumerate(r)] for i, r in enumerate(matrix)
    ]


def test_arrays_are_float64_and_read_only():
    network = Network(np.array(UPLINK, np.float32), PEER)
    for array in (network.uplink_erasure, network.peer_erasure):
        assert isinstance(array, np.ndarray)
        assert array.dtype == np.float64
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0.5
    assert network.num_clients == 3
    with pytest.raises(dataclasses.FrozenInstanceError):
        network.reciprocal = True  # type: ignore[misc]


def test_the_callers_array_is_not_the_networks():
    uplink = np.array(UPLINK)
    network = Network(uplink, PEER)
    uplink[0] = 0.9
    assert network.uplink_erasure[0] == 0.1


@pytest.mark.parametrize(
    ("uplink", "peer", "reciprocal", "words"),
    [
        ([0.1, 1.5, 0.3], PEER, False, ["uplink_erasure[1] = 1.5", "[0, 1]"]),
        ([0.1, -1e-300, 0.3], PEER, False, ["uplink_erasure[1] = -1e-300", "[0, 1]"]),
        ([0.1, 0.2, float("nan")], PEER, False, ["uplink_erasure[2] = nan", "[0, 1]"]),
        (UPLINK, _changed(PEER, 2, 1, 1.5), False, ["peer_erasure[2, 1] = 1.5", "[0, 1]"]),
        (UPLINK, _changed(PEER, 0, 2, float("nan")), False, ["peer_erasure[0, 2] = nan"]),
        (UPLINK, _changed(PEER, 1, 1, 0.25), False, ["peer_erasure[1, 1] = 0.25", "0"]),
        (UPLINK, PEER[:2], False, ["peer_erasure", "(2, 3)", "(3, 3)"]),
        (UPLINK, [row[:2] for row in PEER], False, ["peer_erasure", "(3, 2)", "(3, 3)"]),
        (UPLINK, [[0.0, 0.1], [0.1, 0.0]], False, ["peer_erasure", "(2, 2)", "(3, 3)"]),
        (UPLINK, [[0.0], [0.1, 0.0]], False, ["peer_erasure", "numbers"]),
        (UPLINK, 0.5, False, ["peer_erasure", "()"]),
        (0.5, PEER, False, ["uplink_erasure", "()"]),
        ([], [], False, ["peer_erasure"]),
        ([], np.zeros((0, 0)), False, ["uplink_erasure", "(0,)"]),
        (["0.1", "b", "c"], PEER, False, ["uplink_erasure", "'b'", "numbers"]),
        ([None, 0.1, 0.2], PEER, False, ["uplink_erasure", "None", "numbers"]),
        ([0.1j, 0.1, 0.2], PEER, False, ["uplink_erasure", "numbers"]),
        (UPLINK, PEER, True, ["peer_erasure[0, 1] = 0.5", "peer_erasure[1, 0] = 0.125", "symm"]),
        (UPLINK, PEER, "yes", ["reciprocal = 'yes'", "True", "False"]),
    ],
)
def test_wrong_arguments_are_named_in_one_line(uplink, peer, reciprocal, words):
    with pytest.raises(ValueError) as error:
        Network(uplink, peer, reciprocal)
    assert "\n" not in str(error.value)
    for word in words:
        assert word in str(error.value)


def test_homogeneous():
    network = Network.homogeneous(3, uplink_erasure=0.4, peer_erasure=0.25, reciprocal=True)
    assert network == Network([0.4] * 3, 0.25 * (1 - np.eye(3)), True)
    assert Network.homogeneous(1, uplink_erasure=1, peer_erasure=0).num_clients == 1
    for wrong in (0, -1, 2.0, True, "3"):
        with pytest.raises(ValueError, match="num_clients = "):
            Network.homogeneous(wrong, uplink_erasure=0.4, peer_erasure=0.25)
    with pytest.raises(ValueError, match=r"peer_erasure = 1.5: .*\[0, 1\]"):
        Network.homogeneous(1, uplink_erasure=0.4, peer_erasure=1.5)
    with pytest.raises(ValueError, match="uplink_erasure = nan"):
        Network.homogeneous(3, uplink_erasure=float("nan"), peer_erasure=0.5)


def test_equality_and_hash_go_by_value():
    network = Network(UPLINK, PEER)
    assert network == Network(np.array(UPLINK), np.array(PEER))
    assert hash(network) == hash(Network(UPLINK, PEER))
    assert network != Network([0.1, 0.2, np.nextafter(0.3, 1)], PEER)
    assert Network(UPLINK, np.zeros((3, 3))) != Network(UPLINK, np.zeros((3, 3)), True)
    assert Network([-0.0], [[0.0]]) == Network([0.0], [[-0.0]])
    assert network != "network"


def test_is_a_pytree():
    network = Network(UPLINK, PEER)
    leaves, structure = jax.tree.flatten(network)
    assert [leaf.shape for leaf in leaves] == [(3,), (3, 3)]
    assert jax.tree.unflatten(structure, leaves) == network
    jax.tree.unflatten(structure, [object(), object()])
    jax.tree.map(lambda leaf: None, network)
    paths = [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(network)]
    assert paths == [".uplink_erasure", ".peer_erasure"]
    assert jax.tree.structure(Network(UPLINK, np.zeros((3, 3)), True)) != structure


def test_traced_networks():
    network = Network(UPLINK, PEER)

    @jax.jit
    def mean(network):
        assert network.num_clients == 3
        return jnp.mean(network.uplink_erasure) + jnp.sum(network.peer_erasure)

    gradient = jax.grad(mean)(network)  # no probabilities, and yet a Network
    np.testing.assert_allclose(gradient.uplink_erasure, 1 / 3, rtol=1e-6)
    with jax.enable_x64(True):
        assert jax.grad(mean)(network).peer_erasure.dtype == np.float64

    @jax.jit
    def build(erasure):
        built = Network.homogeneous(3, uplink_erasure=erasure, peer_erasure=0.25)
        return Network(built.uplink_erasure, built.peer_erasure).peer_erasure[0], built

    row, built = build(0.5)
    np.testing.assert_array_equal(row, [0.0, 0.25, 0.25])
    np.testing.assert_array_equal(built.uplink_erasure, 0.5)
    stacked = jax.tree.map(lambda *x: jnp.stack(x), network, network)
    assert jax.vmap(mean)(stacked).shape == (2,)


def test_traced_networks_still_have_their_shapes_checked():
    with pytest.raises(ValueError, match=r"peer_erasure has shape \(2, 2\)"):
        jax.jit(lambda uplink: Network(uplink, np.zeros((2, 2))).num_clients)(np.zeros(3))


def test_rayleigh_fading():
    # 1 - exp(-(2^1.5 - 1) / 10), by hand
    np.testing.assert_allclose(rayleigh_erasure(10.0, 1.5), 0.167100849918859, rtol=1e-14)
    # No cancellation: to first order p = (2^rate - 1) / SNR.
    np.testing.assert_allclose(rayleigh_erasure(1e17, 1.0), 1e-17, rtol=1e-15)
    np.testing.assert_allclose(rayleigh_erasure(1.0, 1e-17), 1e-17 * np.log(2), rtol=1e-15)
    np.testing.assert_array_equal(rayleigh_erasure([0.0, np.inf], 1.0), [1.0, 0.0])
    np.testing.assert_array_equal(rayleigh_erasure([0.0, 1.0], 0.0), [0.0, 0.0])
    np.testing.assert_array_equal(rayleigh_erasure([1.0, np.inf], 1e5), [1.0, 0.0])
    # Drawn: exponential fading power, capacity below the rate.
    power = np.random.default_rng(0).exponential(size=200_000)
    lost = np.mean(np.log2(1 + 4.0 * power) < 2.0)
    assert abs(lost - float(rayleigh_erasure(4.0, 2.0))) < 5 * np.sqrt(0.25 / 200_000)


def test_from_snr():
    network = Network.from_snr([10.0, 5.0], [[np.nan, 2.0], [4.0, -1.0]], rate=1.0, uplink_rate=2.0)
    np.testing.assert_allclose(network.uplink_erasure, -np.expm1(-3 / np.array([10.0, 5.0])))
    np.testing.assert_allclose(network.peer_erasure, [[0, -np.expm1(-0.5)], [-np.expm1(-0.25), 0]])
    with pytest.raises(ValueError, match=r"peer_snr\[0, 1\] = -2.0"):
        Network.from_snr([1.0, 1.0], [[1.0, -2.0], [4.0, 1.0]], rate=1.0)
    with pytest.raises(ValueError, match=r"uplink_snr\[1\] = nan"):
        Network.from_snr([1.0, np.nan], np.ones((2, 2)), rate=1.0)
    for wrong in (-1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match="rate = "):
            Network.from_snr([1.0], [[1.0]], rate=wrong)
    with pytest.raises(ValueError, match=r"peer_snr has shape \(3, 3\)"):
        Network.from_snr([1.0, 1.0], np.ones((3, 3)), rate=1.0)


def test_from_positions():
    physics = {"snr_at_reference": 1e6, "path_loss_exponent": 3.0, "rate": 1.0}
    places = [[0.0, 0.0], [3.0, 4.0], [0.0, 10.0]]
    network = Network.from_positions(places, [0.0, 20.0], reciprocal=True, **physics)
    expected = -np.expm1(-1.0 / (1e6 * 5.0**-3))  # clients 0 and 1 are 5 apart
    np.testing.assert_allclose(network.peer_erasure[0, 1], expected, rtol=1e-12)
    np.testing.assert_allclose(network.uplink_erasure[0], -np.expm1(-1 / (1e6 / 8000)), rtol=1e-12)
    assert network.reciprocal
    louder = Network.from_positions(places, [0.0, 20.0], uplink_snr_at_reference=1e9, **physics)
    np.testing.assert_array_equal(louder.peer_erasure, network.peer_erasure)
    np.testing.assert_allclose(louder.uplink_erasure[0], -np.expm1(-1 / (1e9 / 8000)), rtol=1e-12)
    here = Network.from_positions([[1.0], [1.0]], [1.0], **physics)  # no distance, no loss
    assert not here.peer_erasure.any()
    far = Network.from_positions(places, [0.0, 20.0], reference_distance=2.0, **physics)
    np.testing.assert_allclose(far.uplink_erasure[0], -np.expm1(-1 / (1e6 / 1000)), rtol=1e-12)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"client_positions": [0.0, 1.0]}, ["client_positions", "(2,)"]),
        ({"client_positions": [[0.0, np.inf]]}, ["client_positions[0, 1] = inf"]),
        ({"server_position": [0.0]}, ["server_position", "(1,)", "(2,)"]),
        ({"server_position": [0.0, "x"]}, ["server_position"]),
        ({"snr_at_reference": -1.0}, ["snr_at_reference = -1.0"]),
        ({"uplink_snr_at_reference": np.nan}, ["uplink_snr_at_reference = nan"]),
        ({"reference_distance": 0.0}, ["reference_distance = 0.0"]),
        ({"path_loss_exponent": -2.0}, ["path_loss_exponent = -2.0"]),
        ({"rate": -1.0}, ["rate = -1.0"]),
        ({"uplink_rate": np.inf}, ["rate = inf"]),
    ],
)
def test_from_positions_names_what_is_wrong(changes, words):
    arguments = {
        "client_positions": [[0.0, 0.0], [1.0, 1.0]],
        "server_position": [5.0, 5.0],
        "snr_at_reference": 1e3,
        "path_loss_exponent": 2.0,
        "rate": 1.0,
    } | changes
    with pytest.raises(ValueError) as error:
        Network.from_positions(**arguments)
    assert "\n" not in str(error.value)
    for word in words:
        assert word in str(error.value)


def test_mean_snr_without_power_is_silent():
    law = {"snr_at_reference": 0.0, "reference_distance": 1.0, "path_loss_exponent": 2.0}
    np.testing.assert_array_equal(mean_snr([0.0, 1.0], **law), [0.0, 0.0])
