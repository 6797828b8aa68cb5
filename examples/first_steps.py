"""A tour of the library, from one round by hand to a million rounds at once.

python examples/first_steps.py
"""

import jax
import jax.numpy as jnp
import numpy as np

import jaxcogc

# Four clients. A client's message to the server is lost with probability 0.4, one to another client
# with probability 0.2. First index = receiver: peer_erasure[m, k] is the loss from k to m.
network = jaxcogc.Network.homogeneous(4, uplink_erasure=0.4, peer_erasure=0.2)

# A cyclic code: client m sums its own update and those of the next two, with coefficients such that
# any 4 - 2 complete sums give the sum of all updates.
code_key, link_key, vector_key, trial_key = jax.random.split(jax.random.key(0), 4)
code = jaxcogc.cyclic_code(code_key, num_clients=4, num_stragglers=2)

# --- One round by hand -------------------------------------------------------------------------
links = jaxcogc.draw_links(link_key, network, num_attempts=2)
# [rows, clients], rows = attempts x clients; real-valued decoding is 64-bit, hence NumPy here.
received = np.asarray(jaxcogc.received_matrix(code, links))
print("rows that arrived:", np.flatnonzero(received.any(axis=1)).tolist())

# Exact decisions, over a finite field: no tolerance, no 64-bit mode.
recovery = jaxcogc.recover(vector_key, code, links)
print("standard decoding:", bool(recovery.gc), "| exact average:", bool(recovery.sum_recovered))
print("clients recovered one by one:", np.flatnonzero(recovery.client_recovered).tolist())

# The same with payloads: every client has an update of five numbers (any pytree will do).
updates = jnp.arange(20.0).reshape(4, 5)
payload = jaxcogc.encode(code, links, updates)  # what the server holds: a coded sum for each row
if recovery.sum_recovered:
    weights = np.asarray(jaxcogc.row_space_weights(code, links))  # [rows]
    average = weights @ np.asarray(payload) / network.num_clients
    print("decoded average:", average, "| true average:", updates.mean(axis=0))

# --- How often? ---------------------------------------------------------------------------------
# Standard decoding has a closed form ...
law = jaxcogc.gc_outage_probability(network, num_stragglers=2, num_attempts=2)
print(f"outage of standard decoding: {float(law):.6f}")

# ... which is differentiable: which uplink is most worth improving?
gradient = jax.grad(lambda n: jaxcogc.gc_outage_probability(n, 2, 2))(network)
print("gain from a better uplink:", np.round(gradient.uplink_erasure, 4))

# The other decoders are simulated; every estimate is a float that carries its interval.
outcomes = jaxcogc.simulate_outcomes(trial_key, network, code, num_trials=1_000_000, num_attempts=2)
for name in ("gc_outage", "gc_plus_none", "row_space_exact", "row_space_none"):
    estimate = getattr(outcomes, name)
    print(f"{name:16} {estimate:.6f}  95 % interval {estimate.low:.6f} .. {estimate.high:.6f}")

# Small networks can be enumerated: exact values, no sampling.
small = jaxcogc.Network.homogeneous(3, uplink_erasure=0.4, peer_erasure=0.2)
exact = jaxcogc.enumerate_outcomes(small, jaxcogc.cyclic_code(code_key, 3, 1))
print(f"three clients, exactly: gc outage {exact.gc_outage:.9f}")
