"""One round of training over bad links, by hand: NumPy, loops, double precision.

    python examples/round_by_hand.py

Slow and meant to be read. It shares with the library only what is random (links, samples, places)
and the code's coefficients; what the server recovers is decided here by ranks in floating point,
and every update is encoded and decoded for real. The tests compare the fast rounds with it.
"""

import jax
import numpy as np

from jaxcogc import Network, cyclic_code, draw_links
from jaxcogc.federated import ClientData, draw_samples, round_keys

TOLERANCE = 1e-8


class Round:
    """The links of one round, as NumPy arrays."""

    def __init__(self, seed, number, network, code, num_attempts, num_draws, repeat=0, places=None):
        keys = round_keys(jax.random.key(seed), number)
        links = draw_links(jax.random.fold_in(keys.links, repeat), network, num_draws)
        self.uplink = np.asarray(links.uplink_delivered)  # [attempts, clients]
        self.peer = np.asarray(links.peer_delivered)  # [attempts, clients, clients]
        self.matrix = np.broadcast_to(code.matrix, (num_attempts, *code.matrix.shape[-2:]))
        self.num_attempts = num_attempts
        self.clients = network.num_clients
        self.places = np.arange(self.clients) if places is None else places
        self.loss = network.uplink_erasure


def received_rows(round_, *, replicated=False):
    """What the server receives: (coefficients by client [clients], complete) of every row."""
    rows = []
    for attempt in range(1 if replicated else round_.num_attempts):
        for place, client in enumerate(round_.places):
            if not round_.uplink[attempt, client]:
                continue
            row, complete = np.zeros(round_.clients), True
            for other_place, other in enumerate(round_.places):
                coefficient = round_.matrix[attempt, place, other_place]
                heard = replicated or other == client or round_.peer[attempt, client, other]
                if heard:
                    row[other] = coefficient
                elif coefficient != 0:
                    complete = False
            rows.append((row, complete))
    return rows


def combine(rows, target):
    """Weights of the rows that give ``target`` best, and whether they give it exactly."""
    if not rows:
        return np.zeros(0), False
    matrix = np.array(rows)
    norms = np.maximum(np.linalg.norm(matrix, axis=1), 1e-300)
    scaled = matrix / norms[:, None]
    weights = np.linalg.lstsq(scaled.T, target, rcond=1e-9)[0]
    distance = np.linalg.norm(scaled.T @ weights - target)
    return weights / norms, distance <= TOLERANCE * np.linalg.norm(target)


def known_clients(rows, clients):
    """K: the clients whose own update can be computed."""
    return [k for k in range(clients) if combine(rows, np.eye(clients)[k])[1]]


def decode(scheme, round_, updates, *, by_clients=False, num_tries=2):
    """The aggregate of one scheme, or None when it holds; ``updates`` are [clients, params]."""
    clients = round_.clients
    heard = [k for k in range(clients) if round_.uplink[0, k]]
    if scheme == "ideal":
        heard = list(range(clients))
    if scheme == "retransmission":
        heard = [k for k in range(clients) if any(round_.uplink[t, k] for t in range(num_tries))]
    if scheme in ("ideal", "intermittent", "retransmission"):
        return sum(updates[k] for k in heard) / len(heard) if heard else None
    if scheme == "intermittent_blind":
        return sum(updates[k] for k in heard) / clients if heard else None
    if scheme == "inverse_probability":
        if not heard:
            return None
        return sum(updates[k] / (1 - round_.loss[k]) for k in heard) / clients
    return decode_coded(scheme, round_, updates, by_clients=by_clients)


def decode_coded(scheme, round_, updates, *, by_clients):
    """The same for the schemes whose uplinks carry coded sums."""
    clients = round_.clients
    received = received_rows(round_, replicated=scheme == "replicated_gc")
    rows = [row for row, _ in received]
    sums = [row @ updates for row, _ in received]  # what the server really gets
    complete = [n for n, (_, whole) in enumerate(received) if whole]
    everybody = np.ones(clients)
    if scheme == "least_squares":
        weights, _ = combine(rows, everybody)
        return sum(w * s for w, s in zip(weights, sums, strict=True)) / clients if rows else None
    if scheme == "row_space":
        weights, exact = combine(rows, everybody)
        used = sums
    else:
        weights, exact = combine([rows[n] for n in complete], everybody)
        used = [sums[n] for n in complete]
    if exact:
        return sum(w * s for w, s in zip(weights, used, strict=True)) / clients
    if scheme in ("gc", "replicated_gc"):
        return None
    known = known_clients(rows, clients)
    if not known:
        return None
    total = np.zeros(updates.shape[1])
    for k in known:
        weights, _ = combine(rows, np.eye(clients)[k])
        total += sum(w * s for w, s in zip(weights, sums, strict=True))
    return total / (clients if by_clients else len(known))


def softmax_gradient(params, inputs, labels, num_classes):
    """Gradient of the mean cross entropy of softmax regression; params [features x classes]."""
    weights = params.reshape(inputs.shape[1], num_classes)
    gradient = np.zeros_like(weights)
    for x, label in zip(inputs, labels, strict=True):
        scores = x @ weights
        probabilities = np.exp(scores - scores.max())
        probabilities /= probabilities.sum()
        probabilities[label] -= 1
        gradient += np.outer(x, probabilities) / len(labels)
    return gradient.ravel()


def train_locally(params, data, client, samples, learning_rate, num_classes, proximal=0.0):
    """The difference that the local steps of one client make; samples [steps, batch]."""
    inputs, labels = data.examples
    here = params.copy()
    for chosen in samples:
        rows = np.asarray(data.indices)[client][chosen]
        gradient = softmax_gradient(here, inputs[rows], labels[rows], num_classes)
        here -= learning_rate * (gradient + proximal * (here - params))
    return here - params


def train(scheme, seed, params, data, network, code, *, rounds, num_classes, **options):
    """A whole run by hand; returns the parameters after every round, [rounds, params].

    Options: num_attempts, local_steps, batch_size, learning_rate, proximal, num_tries, max_repeats,
    by_clients, random_places, target_weights [clients].
    """
    get = {"num_attempts": 2, "local_steps": 1, "batch_size": 4, "learning_rate": 0.1} | options
    clients, trail = network.num_clients, []
    targets = get.get("target_weights", np.full(clients, 1 / clients))
    for number in range(rounds):
        keys = round_keys(jax.random.key(seed), number)
        drawn = draw_samples(keys.batches, data, get["local_steps"], get["batch_size"])
        samples = np.asarray(drawn)
        updates = np.array(
            [
                train_locally(
                    params,
                    data,
                    k,
                    samples[k],
                    get["learning_rate"],
                    num_classes,
                    get.get("proximal", 0.0),
                )
                for k in range(clients)
            ]
        )
        shared = updates * (clients * np.asarray(targets))[:, None]
        places = np.arange(clients)
        if get.get("random_places"):
            places = np.asarray(jax.random.permutation(keys.placement, clients))
        for repeat in range(get.get("max_repeats", 0) + 1):
            num_tries = get.get("num_tries", 2)
            draws = max(get["num_attempts"], num_tries)
            attempts = (get["num_attempts"], draws, repeat, places)
            links = Round(seed, number, network, code, *attempts)
            by_clients = get.get("by_clients", False)
            found = decode(scheme, links, shared, by_clients=by_clients, num_tries=num_tries)
            if found is not None:
                params = params + found
                break
        trail.append(params)
    return np.array(trail)


def made_up_data(clients, features, num_classes):
    """60 samples that a line tells apart, sorted by class among clients."""
    random = np.random.default_rng(0)
    inputs = random.normal(size=(60, features))
    labels = (inputs @ random.normal(size=(features, num_classes))).argmax(axis=1)
    indices = np.argsort(labels, kind="stable").astype(np.int32).reshape(clients, -1)
    size = np.full(clients, indices.shape[1], np.int32)
    return inputs, labels, ClientData((inputs, labels), indices, size)


def main():
    """A few rounds of softmax regression on made-up data."""
    clients, features, num_classes = 5, 6, 3
    inputs, labels, data = made_up_data(clients, features, num_classes)
    network = Network.homogeneous(clients, uplink_erasure=0.4, peer_erasure=0.25)
    code = cyclic_code(jax.random.key(0), clients, 3)
    start = np.zeros(features * num_classes)
    for scheme in ("ideal", "intermittent", "gc", "gc_plus", "row_space"):
        trail = train(
            scheme, 0, start, data, network, code, rounds=20, num_classes=num_classes, local_steps=3
        )
        scores = inputs @ trail[-1].reshape(features, num_classes)
        held = sum(np.array_equal(a, b) for a, b in zip([start, *trail], trail, strict=False))
        right = (scores.argmax(axis=1) == labels).mean()
        print(f"{scheme:14} accuracy {right:.3f} after 20 rounds, {held} of them held")


if __name__ == "__main__":
    main()
