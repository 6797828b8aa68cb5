"""One measurement of `scaling`; prints one JSON object.

A process of its own: peak memory never shrinks, and the number of virtual devices is fixed at the
start.

python -m benchmarks.scaling_worker CLIENTS STRAGGLERS ATTEMPTS TRIALS REPEATS
"""

from __future__ import annotations

import hashlib
import json
import resource
import sys
import time
from functools import reduce
from typing import Any

import jax
import numpy as np

from benchmarks.cases import Shape, make_code, make_network
from jaxcogc import OutcomeCounts, compile_simulation


def measure(shape: Shape, num_trials: int, repeats: int) -> dict[str, Any]:
    """Seconds of ``repeats`` runs after a warm one, peak memory, and a digest of all counts."""
    network, code = make_network(shape), make_code(shape)
    simulation = compile_simulation(network, code, num_attempts=shape.attempts)

    def run() -> OutcomeCounts:
        parts = simulation.counts(jax.random.key(7), network, code, num_trials)
        return reduce(lambda a, b: a + b, parts, OutcomeCounts.zero(shape.clients))

    counts, seconds = None, []
    for number in range(repeats + (num_trials <= 10**7)):  # a long run needs no warming
        started = time.perf_counter()
        counts = run()
        if number or num_trials > 10**7:
            seconds.append(time.perf_counter() - started)
    numbers = b"".join(np.asarray(field, np.int64).tobytes() for field in counts or ())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        **shape._asdict(),
        "trials": num_trials,
        "devices": len(jax.devices()),
        "device": simulation.device,
        "compile_seconds": simulation.compile_seconds,
        "seconds": seconds,
        "trials_per_second": num_trials / float(np.median(seconds)),
        "peak_memory_bytes": peak * (1 if sys.platform == "darwin" else 1024),
        "counts_digest": hashlib.sha256(numbers).hexdigest()[:16],
    }


if __name__ == "__main__":
    clients, stragglers, attempts, trials, times = (int(text) for text in sys.argv[1:])
    print(json.dumps(measure(Shape(clients, stragglers, attempts), trials, times)))
