"""Rows as bit masks against loops over receivers and clients."""

import jax
import numpy as np
import pytest

from jaxcogc.coding.exact.bit_rows import pack_rows


def by_hand(uplink, peer):
    """uint32 [words, attempts, clients, trials], bit by bit."""
    trials, attempts, clients = uplink.shape
    rows = np.zeros((-(-clients // 32), attempts, clients, trials), np.uint32)
    for trial, attempt, receiver in np.argwhere(uplink):
        for offset in range(clients):
            sender = (receiver + offset) % clients
            if offset == 0 or peer[trial, attempt, receiver, sender]:
                rows[offset // 32, attempt, receiver, trial] |= np.uint32(1 << offset % 32)
    return rows


@pytest.mark.parametrize("clients", [1, 2, 3, 7, 8, 31, 32, 33, 64, 70, 128])
def test_packed_rows_equal_loops(clients):
    source = np.random.default_rng(clients)
    uplink = source.random((3, 2, clients)) < 0.7
    peer = source.random((3, 2, clients, clients)) < 0.5
    np.testing.assert_array_equal(jax.jit(pack_rows)(uplink, peer), by_hand(uplink, peer))


def test_a_row_read_from_the_wrong_end_is_noticed():
    source = np.random.default_rng(0)
    uplink, peer = source.random((3, 2, 33)) < 0.7, source.random((3, 2, 33, 33)) < 0.5
    assert (np.asarray(pack_rows(uplink, peer)) != by_hand(uplink, peer[..., ::-1])).any()
