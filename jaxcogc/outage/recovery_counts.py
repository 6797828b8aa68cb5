"""Counts of trials that were decided elsewhere: on links of any origin."""

from __future__ import annotations

import jax
import numpy as np

from jaxcogc.coding.exact.decision import Recovery
from jaxcogc.outage.counts import OutcomeCounts
from jaxcogc.outage.outcomes import classify

_INTEGERS = ("rank", "num_complete_rows")


def counts_from_recovery(recovery: Recovery) -> OutcomeCounts:
    """Count what some trials recovered.

    Args:
      recovery: a Recovery of one trial or of many, as ``jax.vmap(recover, (None, None, 0))``
        gives it: bool and int [trials], ``client_recovered`` [trials, clients]; more axes in
        front of them are trials too.

    Returns:
      OutcomeCounts, on the host; counts of several calls add, and `outcomes_from_counts` gives
      their rates with intervals.

    Raises:
      ValueError: fields whose shapes or types do not belong together.

    >>> import jax
    >>> from jaxcogc import Network, cyclic_code, draw_links, recover
    >>> from jaxcogc import counts_from_recovery, outcomes_from_counts
    >>> network = Network.homogeneous(4, uplink_erasure=0.2, peer_erasure=0.1)
    >>> keys = jax.random.split(jax.random.key(0), 1000)
    >>> links = jax.vmap(lambda key: draw_links(key, network))(keys)  # or links that were measured
    >>> code = cyclic_code(jax.random.key(1), 4, 1)
    >>> recovery = jax.vmap(recover, (None, None, 0))(jax.random.key(2), code, links)
    >>> outcomes = outcomes_from_counts(counts_from_recovery(recovery))
    >>> outcomes.gc_outage.low < 0.3133 < outcomes.gc_outage.high, outcomes.gc_outage.method
    (True, 'clopper-pearson')
    """
    found = _trials_first(recovery)
    happened = classify(found)
    members = np.asarray(found.client_recovered, np.int64)
    clients = members.shape[1]
    by_size = (members.sum(1)[:, None] == np.arange(clients + 1)).astype(np.int64)
    return OutcomeCounts(
        trials=len(members),
        gc=int(found.gc.sum()),
        gc_plus_full=int(happened.gc_plus_full.sum()),
        gc_plus_partial=int(happened.gc_plus_partial.sum()),
        row_space_exact=int(happened.row_space_exact.sum()),
        row_space_partial=int(happened.row_space_partial.sum()),
        all_individuals=int(happened.all_individuals.sum()),
        rank_sum=int(found.rank.sum(dtype=np.int64)),
        num_recovered=by_size.sum(0),
        client_recovered=members.sum(0),
        gc_plus_partial_recovered=members[happened.gc_plus_partial].T
        @ by_size[happened.gc_plus_partial],
        row_space_partial_recovered=members[happened.row_space_partial].T
        @ by_size[happened.row_space_partial],
    )


def _trials_first(recovery: Recovery) -> Recovery:
    """NumPy arrays with one axis of trials."""
    arrays: Recovery = jax.tree.map(np.asarray, recovery)
    trials = arrays.gc.shape
    for name, array in zip(Recovery._fields, arrays, strict=True):
        each = name == "client_recovered"
        if array.ndim != len(trials) + each or array.shape[: len(trials)] != trials:
            entry = "row of clients" if each else "entry"
            raise ValueError(
                f"recovery.{name} has shape {array.shape}: allowed is one {entry} for each of the "
                f"trials {trials} of recovery.gc"
            )
        allowed = ("iu", "an integer") if name in _INTEGERS else ("b", "bool")
        if array.dtype.kind not in allowed[0]:
            raise ValueError(f"recovery.{name} has type {array.dtype}: allowed is {allowed[1]}")
    if not arrays.gc.size:
        raise ValueError("recovery has no trial: allowed is at least one")
    clients = arrays.client_recovered.shape[-1]
    members = arrays.client_recovered.reshape(-1, clients)
    return Recovery(*(x.reshape(-1) for x in arrays))._replace(client_recovered=members)
