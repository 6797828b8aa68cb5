"""The words of links, rebuilt from the numbering of the format by JAX's own Threefry."""

import jax.extend
import jax.numpy as jnp
import numpy as np

from jaxcogc.runtime.random_words import key_words


def delivered(links):
    own = np.eye(links.peer_delivered.shape[-1], dtype=bool)
    return np.where(own, np.asarray(links.uplink_delivered)[..., None], links.peer_delivered)


def uniform_words(key, clients, num_attempts, trial=0, reciprocal=False, stream=None):
    """Both words of every link of a trial, rebuilt from the numbering of the format.

    Words may be skipped but never renumbered: stored results depend on it. ``stream``: two words
    in place of the key's own.
    """
    attempt, receiver, sender = np.ogrid[:num_attempts, :clients, :clients]
    offset = (sender - receiver) % clients
    if reciprocal:
        offset = abs(sender - receiver)
        receiver = np.minimum(receiver, sender)
    position = (attempt << 20 | receiver << 10 | offset >> 1).astype(np.uint32)
    words = []
    for refinement in (0, 1):
        counter = np.full_like(position, trial | refinement << 31)
        pair = jax.extend.random.threefry2x32_p.bind(
            *(key_words(key) if stream is None else stream),
            jnp.asarray(counter),
            jnp.asarray(position),
        )
        words.append(np.where(offset % 2, *map(np.asarray, reversed(pair))))
    return words


def unpack(rows):
    """Bits as bool [attempts, receivers, senders, trials]; the diagonal is the uplink."""
    _, attempts, clients, trials = rows.shape
    found = np.zeros((attempts, clients, clients, trials), bool)
    for m in range(clients):
        for k in range(clients):
            offset = (k - m) % clients
            found[:, m, k] = np.asarray(rows)[offset // 32, :, m] >> offset % 32 & 1
    return found
