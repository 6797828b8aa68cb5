"""Measured links: lists and matrices become networks, or one line says why they cannot."""

import numpy as np
import pytest

from jaxcogc.links.measured import Reading, from_matrix, read_links
from jaxcogc.links.network import Network
from jaxcogc.links.network_description import describe_network

GOOD = """receiver,sender,pdr
ps,a,.9
ps,b,.75
a,b,.5
b,a,1
"""


def links(tmp_path, text, **reading):
    path = tmp_path / "links.csv"
    path.write_text(text)
    return read_links(path, Reading(**reading))


def test_a_list_of_ratios(tmp_path):
    found = links(tmp_path, GOOD)
    assert found.clients == ("a", "b")
    assert found.server == "ps"
    assert found.uplink_erasure.tolist() == [0.1, 0.25]
    assert found.peer_erasure.tolist() == [[0.0, 0.5], [0.0, 0.0]]
    network = Network.from_csv(tmp_path / "links.csv")
    assert network.uplink_erasure.tolist() == [0.1, 0.25]


def test_columns_in_any_order_percentages_and_downlinks(tmp_path):
    text = "when,PER,sender,receiver\n1,10,a,s\n2,25,b,s\n3,50,b,a\n4,0,a,b\n5,100,s,a\n6,1,s,b\n"
    found = links(tmp_path, text, percent=True, server="s")
    assert found.uplink_erasure.tolist() == [0.1, 0.25]
    assert found.peer_erasure.tolist() == [[0.0, 0.5], [0.0, 0.0]]


def test_decibels(tmp_path):
    """p = 1 - exp(-(2^rate - 1) / SNR), by hand."""
    text = GOOD.replace("pdr", "snr").replace(".9", "10").replace(".75", "3").replace(".5", "-2")
    found = links(tmp_path, text.replace("b,a,1", "b,a,20"), rate=1.0)
    np.testing.assert_allclose(
        found.uplink_erasure, 1 - np.exp(-1 / 10 ** np.array([1.0, 0.3])), rtol=1e-12
    )
    assert found.peer_erasure[0, 1] == pytest.approx(1 - np.exp(-(10**0.2)), rel=1e-12)
    power = "receiver,sender,rssi\nps,a,-80\n"
    found = links(tmp_path, power, rate=2.0, noise_dbm=-95.0)
    assert found.uplink_erasure[0] == pytest.approx(1 - np.exp(-3 / 10**1.5), rel=1e-12)


def test_names_that_read_the_same_are_the_same(tmp_path):
    """Some systems write a letter with an accent as two characters."""
    one, two = "é", "e\N{COMBINING ACUTE ACCENT}"
    found = links(tmp_path, GOOD.replace("a", one).replace(f"\n{one},b", f"\n{two},b"), server="ps")
    assert found.clients == (one, "b")
    assert found.peer_erasure.tolist() == [[0.0, 0.5], [0.0, 0.0]]
    assert links(tmp_path, GOOD.replace("ps", one), server=two).server == one


def test_pairs_that_are_missing(tmp_path):
    text = GOOD.replace("a,b,.5\n", "")
    with pytest.raises(ValueError, match="receiver a, sender b is missing"):
        links(tmp_path, text)
    assert links(tmp_path, text, missing="erased").peer_erasure[0, 1] == 1.0


@pytest.mark.parametrize(
    ("text", "reading", "words"),
    [
        (GOOD.replace(".9", "90"), {}, r"pdr of receiver ps, sender a = 90: .*percentages"),
        (GOOD.replace(".9", "-.1"), {}, r"= -0.1: allowed is a number in \[0, 1\]"),
        (GOOD.replace(".9", "nan"), {}, r"= nan: allowed"),
        (GOOD.replace(".9", "101"), {"percent": True}, r"= 101: allowed is a number in \[0, 100\]"),
        (GOOD + "ps,a,.9\n", {}, "row 6: receiver ps, sender a stands twice"),
        (GOOD + "a,a,1\n", {}, "row 6: a hears itself"),
        (GOOD.replace(".9", "good"), {}, "row 2: 'good': allowed is a number"),
        (GOOD + "ps\n", {}, "row 6 has 1 cells"),
        (GOOD, {"server": "nobody"}, "server = 'nobody': allowed are a, ps, b"),
        (GOOD + "a,ps,1\nb,ps,1\n", {}, "never sending: nobody: allowed is one node"),
        (GOOD.replace("pdr", "quality"), {}, "a header with receiver, sender and one of pdr, per"),
        (GOOD.replace("pdr", "pdr,PDR").replace(".9", ".9,.8"), {}, "the header has pdr twice"),
        (GOOD.replace("sender", "sender,sender"), {}, "the header has sender twice"),
        (GOOD.replace("a,.9", '"' + 200_000 * "a"), {}, "field larger than field limit"),
        ("", {}, "a header with receiver, sender"),
        ("0,.5\n.5,0\n", {}, "a header with receiver, sender"),
        (GOOD.replace("pdr", "snr"), {}, "snr without a rate"),
        (GOOD.replace("pdr", "rssi"), {"rate": 1.0}, "rssi without noise_dbm"),
        (GOOD.replace("pdr", "snr").replace(".9", "inf"), {"rate": 1.0}, "finite decibels"),
        (GOOD, {"missing": "zero"}, "missing = 'zero': allowed are refuse, erased"),
    ],
)
def test_one_line_names_the_mistake(tmp_path, text, reading, words):
    with pytest.raises(ValueError, match=words) as told:
        links(tmp_path, text, **reading)
    assert "links.csv: " in str(told.value)


def test_files_that_are_none(tmp_path):
    with pytest.raises(ValueError, match="cannot be read"):
        read_links(tmp_path / "nothing.csv", Reading())
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="not UTF-8"):
        read_links(tmp_path / "bytes.csv", Reading())


def test_square_matrices():
    """Node 1 is the server; what it sends, and who hears himself, is not looked at."""
    ratios = np.array([[np.nan, 0.1, 0.5], [0.9, 7.0, 0.75], [1.0, 0.2, 9.0]])
    network = Network.from_pdr(ratios, server=1)
    assert network.uplink_erasure.tolist() == [0.1, 0.25]
    assert network.peer_erasure.tolist() == [[0.0, 0.5], [0.0, 0.0]]
    by_percent = Network.from_pdr(100 * ratios, server=1, percent=True)
    np.testing.assert_allclose(by_percent.peer_erasure, network.peer_erasure)
    ratios[0, 2] = np.nan
    with pytest.raises(ValueError, match="receiver 0, sender 2 is missing"):
        Network.from_pdr(ratios, server=1)
    assert Network.from_pdr(ratios, server=1, missing="erased").peer_erasure[0, 1] == 1.0
    snr = Network.from_snr_matrix(np.full((3, 3), 10.0), server=2, rate=1.0)
    assert snr.uplink_erasure[0] == pytest.approx(1 - np.exp(-0.1))
    with pytest.raises(ValueError, match="a square one"):
        from_matrix(np.zeros((2, 3)), "pdr", Reading("0"))
    with pytest.raises(ValueError, match="server = '5'"):
        Network.from_pdr(np.ones((3, 3)), server=5)


def test_orders():
    generator = np.random.default_rng(0)
    peer = generator.random((4, 4))
    np.fill_diagonal(peer, 0.0)
    network = Network(generator.random(4), peer)
    moved = network.permuted((2, 0, 3, 1))
    assert moved.uplink_erasure[0] == network.uplink_erasure[2]
    assert moved.peer_erasure[1, 3] == network.peer_erasure[0, 1]
    assert moved.permuted(np.argsort((2, 0, 3, 1))) == network
    for order in ((0, 1, 2), (0, 1, 2, 2), (0, 1, 2, 4), (0.0, 1.0, 2.0, 3.0)):
        with pytest.raises(ValueError, match=r"every client 0 .. 3 once"):
            network.permuted(order)


def test_description():
    peer = np.array([[0.0, 1.0, 0.4], [1.0, 0.0, 1.0], [0.2, 1.0, 0.0]])
    found = describe_network(Network([0.005, 1.0, 0.5], peer))
    assert (found.silent, found.unheard, found.deaf) == ((1,), (1,), (1,))
    assert found.uplink_counts.sum() == 3
    assert found.peer_counts.sum() == 6
    assert found.peer_counts[-1] == 4
    assert found.uplink_counts[0] == 1
    assert len(found.labels) == len(found.peer_counts)
    assert found.largest_asymmetry == pytest.approx(0.2)
    assert found.asymmetry == pytest.approx(0.2 / 3)
    alone = describe_network(Network([0.5], [[0.0]]))
    assert (alone.unheard, alone.deaf, alone.peer.mean) == ((), (), 0.0)
