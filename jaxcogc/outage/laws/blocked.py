"""Standard decoding where whole clients are blocked: a walk around the ring."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxcogc._types import Array


def blocked_ring_outage(missing: Array, blocked: Array, num_stragglers: int) -> Array:
    """Outage of a cyclic code: at most M - s - 1 rows arrive whose clients are all unblocked.

    Clients are passed in order. Kept are the number of rows that arrived (M - s or more are one
    state), the run of unblocked clients that ends here and the one that began at client 0 (s + 1 or
    more are one state): the rows of the last s clients reach into the latter.

    Args:
      missing: [clients], no complete row arrives of a client whose row holds no blocked client.
      blocked: [clients] probabilities.
      num_stragglers: s, static.

    Returns:
      Scalar; a sum of positive terms.

    Source: docs/mathematics/outage.md, "Links with memory, blocked clients".
    """
    clients, size = missing.size, num_stragglers + 1
    needed = clients - num_stragglers
    runs = jnp.arange(size + 1)
    longer = np.minimum(np.arange(size + 1) + 1, size)

    def row_decided(law: Array, client: Array, whole: Array) -> Array:
        """The row of a client arrives, or not, in those states in which it is whole."""
        counted = law * (1.0 - missing[client])
        moved = jnp.roll(counted, 1, axis=0).at[0].set(0.0).at[needed].add(counted[needed])
        return jnp.where(whole, law * missing[client] + moved, law)

    def one_client(law: Array, client: Array) -> tuple[Array, None]:
        stops = jnp.zeros_like(law).at[:, 0].set(law.sum(1)) * blocked[client]
        free = law * (1.0 - blocked[client])
        # The first run grows while it is the run that ends here.
        unbroken = runs == jnp.minimum(client, size)
        first = jnp.where(unbroken, free, 0.0)
        grown = jnp.where(unbroken, 0.0, free).at[:, :, longer].add(first)
        goes_on = jnp.zeros_like(grown).at[:, longer].add(grown)
        row = (client - num_stragglers) % clients
        whole = (runs == size)[None, :, None] & (client >= num_stragglers)
        return stops + row_decided(goes_on, row, whole), None

    start = jnp.zeros((needed + 1, size + 1, size + 1)).at[0, 0, 0].set(1.0)
    law, _ = lax.scan(one_client, start, jnp.arange(clients))

    def one_row(law: Array, place: Array) -> tuple[Array, None]:
        """Of the last s clients: its row needs the run at the end, and the first one."""
        at_end, at_start = num_stragglers - place, place + 1
        whole = (runs >= at_end)[None, :, None] & (runs >= at_start)[None, None, :]
        return row_decided(law, clients - num_stragglers + place, whole), None

    law, _ = lax.scan(one_row, law, jnp.arange(num_stragglers))
    return law[:needed].sum()
