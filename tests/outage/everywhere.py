"""Draws, decisions and counts as text, for processes of all kinds to agree on.

``python -m tests.outage.everywhere [COORDINATOR NUM_PROCESSES PROCESS_ID]`` prints one JSON object.
"""

from __future__ import annotations

import hashlib
import json
import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import PartitionSpec

from jaxcogc.coding.codes import cyclic_code
from jaxcogc.coding.recovery import recover
from jaxcogc.links.draws import Links, draw_links
from jaxcogc.links.network import Network
from jaxcogc.runtime.devices import device_mesh
from jaxcogc.runtime.processes import join_processes
from tests.checks import simulate_counts

NETWORK = Network([0.4, 0.2, 0.6], [[0.0, 0.3, 0.5], [0.2, 0.0, 1e-8], [0.7, 1.0 - 2.0**-53, 0.0]])
TRIALS = 64


def digest(arrays: Any) -> str:
    sha = hashlib.sha256()
    for leaf in jax.tree.leaves(arrays):
        array = np.asarray(leaf)
        sha.update(f"{array.dtype}{array.shape}".encode() + array.tobytes())
    return sha.hexdigest()


def drawn_and_decided() -> dict[str, str]:
    """Digests of links and of what they recover."""
    code = cyclic_code(jax.random.key(2), 3, 1)
    keys = jax.random.split(jax.random.key(3), TRIALS)
    links = jax.jit(jax.vmap(lambda key: draw_links(key, NETWORK, 2)))(keys)
    decide = jax.vmap(recover, (None, None, 0))
    recovery = jax.jit(decide)(jax.random.key(4), code, links)
    result = {"code": digest(code), "links": digest(links), "recovery": digest(recovery)}

    def share(uplinks, peers):
        return decide(jax.random.key(4), code, Links(uplinks, peers))

    mesh, cut = device_mesh(jax.devices()), PartitionSpec("devices")
    sharded = jax.jit(jax.shard_map(share, mesh=mesh, in_specs=cut, out_specs=cut))
    result["sharded recovery"] = digest(sharded(*map(jnp.asarray, links)))
    return result


def counted(key: jax.Array | None = None, **settings: Any) -> dict[str, Any]:
    """Counts of every field; the numbers of trials end inside blocks and between devices."""
    key = jax.random.key(5) if key is None else key
    code = cyclic_code(jax.random.key(2), 3, 1)
    return {
        str(num_trials): [
            np.asarray(field).tolist()
            for field in simulate_counts(key, NETWORK, code, num_trials, num_attempts=2, **settings)
        ]
        for num_trials in (1, 5 * 2**14, 300_007)
    }


def in_64_bits() -> bool:
    return jnp.zeros(()).dtype == np.float64


def main(arguments: list[str]) -> None:
    if arguments:
        coordinator, num_processes, process_id = arguments
        join_processes(coordinator, int(num_processes), int(process_id))
    found = {
        "drawn and decided": drawn_and_decided() if jax.process_count() == 1 else None,
        "counted": counted(),
        "devices": jax.device_count(),
        "processes": jax.process_count(),
        "x64": in_64_bits(),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1:])
