"""Rounds of the schemes that relay, weigh, remember or hide, by hand: NumPy, loops, float64.

    python examples/schemes_by_hand.py

As `round_by_hand.py`, whose links, samples and local steps it takes. Here a scheme is a vector of
coefficients, worked out from ranks in floating point, and what is remembered of each client.
"""

import jax
import numpy as np
from round_by_hand import (
    Round,
    combine,
    known_clients,
    made_up_data,
    received_rows,
    train_locally,
)

from jaxcogc import Network, colrel_weights, cyclic_code
from jaxcogc.federated import draw_samples, round_keys


def relayed(links, alpha):
    """c / M of collaborative relaying, the mean over attempts."""
    clients, total = links.clients, np.zeros(links.clients)
    for attempt in range(links.num_attempts):
        for relay in range(clients):
            if links.uplink[attempt, relay]:
                for client in range(clients):
                    if client == relay or links.peer[attempt, relay, client]:
                        total[client] += alpha[relay, client]
    return total / (clients * links.num_attempts)


def decoded(base, links):
    """Who is in the aggregate of a coded scheme, and who is known one by one."""
    received, everybody = received_rows(links), np.ones(links.clients)
    rows = [row for row, _ in received]
    used = rows if base == "row_space" else [row for row, whole in received if whole]
    known = known_clients(rows, links.clients)
    exact = combine(used, everybody)[1]
    return (list(range(links.clients)) if exact else known), known


def projector(links):
    """P of all rows that arrived, by a singular value decomposition."""
    rows = np.array([row for row, _ in received_rows(links)]).reshape(-1, links.clients)
    if not len(rows):
        return np.zeros((links.clients, links.clients))
    scaled = rows / np.maximum(np.linalg.norm(rows, axis=1), 1e-300)[:, None]
    _, values, right = np.linalg.svd(scaled)
    basis = right[: int(np.sum(values > 1e-9 * values[0]))]
    return basis.T @ basis


def secure_average(scheme, links, updates, code, step=2.0**-26):
    """The average of updates behind masks over the field of the code, in Python's integers."""
    (clients, size), q = updates.shape, code.modulus
    numbers = np.rint(updates / step).astype(int)
    random = np.random.default_rng(links.num_attempts)  # the masks cancel, whatever they are
    masks = random.integers(0, q, updates.shape)
    masks[-1] = -masks[:-1].sum(axis=0)
    worn = ((numbers.astype(object) + masks.astype(object)) % q).tolist()
    rows = []  # coefficients of a row that arrived, and its payload
    for attempt, client in np.argwhere(links.uplink).tolist():
        coded = [int(x) for x in code.field_matrix[client]]
        held = [k == client or bool(links.peer[attempt, client, k]) for k in range(clients)]
        whole = all(have or not x for x, have in zip(coded, held, strict=True))
        if whole or scheme == "secure_row_space":
            row = [x * have for x, have in zip(coded, held, strict=True)]
            payload = [sum(row[k] * worn[k][i] for k in range(clients)) for i in range(size)]
            rows.append(row + [x % q for x in payload])
    total = [1] * clients + [0] * size  # minus the sum, once all coefficients are gone
    for column in range(clients):
        pivot = next((row for row in rows if row[column]), None)
        if pivot is None:
            continue
        scale = pow(pivot[column], -1, q)
        others = [row for row in rows if row is not pivot]
        rows = [_less(row, row[column] * scale, pivot, q) for row in others]
        total = _less(total, total[column] * scale, pivot, q)
    if any(total[:clients]):
        return np.zeros(size)
    signed = [(-x) % q - (q if (-x) % q > q // 2 else 0) for x in total[clients:]]
    return np.array(signed) * step / clients


def _less(row, factor, pivot, q):
    return [(x - factor * y) % q for x, y in zip(row, pivot, strict=True)]


def coefficients(scheme, links, told):
    """The coefficients of one round, and P: how far each client's update is known afterwards."""
    clients = links.clients
    if scheme == "colrel":
        return relayed(links, told), None
    if scheme == "projected_memory":
        known = projector(links)
        return known @ np.ones(clients) / clients, known
    base = scheme.removesuffix("+memory").removesuffix("_unbiased")
    if base in ("gc_plus", "row_space"):
        who, known = decoded(base, links)
    else:
        who = known = [k for k in range(clients) if links.uplink[0, k]]
    weights = np.zeros(clients)
    for k in who:
        weights[k] = 1 / clients if base == "intermittent_blind" else 1 / len(who)
        if base == "inverse_probability":
            weights[k] = 1 / (clients * (1 - links.loss[k]))
        if scheme.endswith("_unbiased"):
            weights[k] = 1 / (clients * told[k])
    return weights, np.diag([float(k in known) for k in range(clients)])


def train(scheme, seed, params, data, network, code, *, rounds, num_classes, told=None, **options):
    """A whole run by hand; returns the model after every round, [rounds, params].

    ``told``: the weights of relays, or how often each client is recovered. Options: num_attempts,
    local_steps, batch_size, learning_rate.
    """
    get = {"num_attempts": 2, "local_steps": 1, "batch_size": 4, "learning_rate": 0.1} | options
    clients, attempts, trail = network.num_clients, get["num_attempts"], []
    remembered = np.zeros((clients, len(params)))
    models = np.tile(params, (clients, 1))
    for number in range(rounds):
        keys = round_keys(jax.random.key(seed), number)
        drawn = draw_samples(keys.batches, data, get["local_steps"], get["batch_size"])
        samples, rate = np.asarray(drawn), get["learning_rate"]
        links = Round(seed, number, network, code, attempts, attempts)
        updates = np.array(
            [
                train_locally(models[k], data, k, samples[k], rate, num_classes)
                for k in range(clients)
            ]
        )
        if scheme.startswith("secure_"):
            models = models + secure_average(scheme, links, updates, code)
            trail.append(models[0])
            continue
        if scheme == "implicit_gossip":
            models = models + updates
            heard = [k for k in range(clients) if links.uplink[0, k]]
            if heard:
                models[heard] = models[heard].mean(axis=0)
            trail.append(models.mean(axis=0))
            continue
        weights, known = coefficients(scheme, links, told)
        step = sum(weights[k] * updates[k] for k in range(clients))
        if scheme.endswith("memory"):
            step = step + sum((1 / clients - weights[k]) * remembered[k] for k in range(clients))
            remembered = remembered + known @ (updates - remembered)
        models = models + step
        trail.append(models[0])
    return np.array(trail)


def main():
    """A few rounds of softmax regression on made-up data, one class a client."""
    clients, features, num_classes = 5, 6, 3
    inputs, labels, data = made_up_data(clients, features, num_classes)
    peer = np.full((clients, clients), 0.25) * (1 - np.eye(clients))
    network = Network([0.1, 0.1, 0.5, 0.75, 0.9], peer)
    code, start = cyclic_code(jax.random.key(0), clients, 3), np.zeros(features * num_classes)
    schemes = ("colrel", "intermittent+memory", "gc_plus+memory", "projected_memory")
    for scheme in (*schemes, "implicit_gossip", "secure_row_space"):
        told = colrel_weights(network) if scheme == "colrel" else None
        settings = {"rounds": 20, "num_classes": num_classes, "local_steps": 3}
        trail = train(scheme, 0, start, data, network, code, told=told, **settings)
        scores = inputs @ trail[-1].reshape(features, num_classes)
        right = (scores.argmax(axis=1) == labels).mean()
        print(f"{scheme:20} accuracy {right:.3f} after 20 rounds")


if __name__ == "__main__":
    main()
