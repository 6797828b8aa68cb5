"""Small learning problems that the tests of training share."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxcogc import Network, cyclic_code
from jaxcogc.federated.aggregation.channel import channel
from jaxcogc.federated.rounds.experiment import Inputs, RoundSettings, RoundSpan, Task
from jaxcogc.federated.rounds.local_steps import ClientData
from jaxcogc.federated.rounds.round_program import training_program
from jaxcogc.federated.rounds.run_axes import initial_state, seed_words

CLIENTS, FEATURES, CLASSES, CAPACITY = 3, 6, 3, 12


def network(uplink=0.5, peer=0.35, clients=CLIENTS):
    return Network.homogeneous(clients, uplink_erasure=uplink, peer_erasure=peer)


def code(clients=CLIENTS, stragglers=1):
    return cyclic_code(jax.random.key(1), clients, stragglers)


def made_up_data(dtype=np.float64, clients=CLIENTS):
    """Three classes, mostly a client each; clients of unequal size."""
    random = np.random.default_rng(0)
    inputs = random.normal(size=(clients * CAPACITY, FEATURES)).astype(dtype)
    labels = (inputs @ random.normal(size=(FEATURES, CLASSES))).argmax(axis=1).astype(np.int32)
    indices = np.argsort(labels, kind="stable").astype(np.int32).reshape(clients, CAPACITY)
    sizes = np.array([CAPACITY, 5, 9][:clients], np.int32)
    return ClientData((inputs, labels), indices, sizes)


def logits(params, inputs):
    return inputs @ params.reshape(FEATURES, CLASSES)


def cross_entropy(params, inputs, labels):
    scores = logits(params, inputs)
    return optax.losses.softmax_cross_entropy_with_integer_labels(scores, labels)


def loss_fn(params, batch, key):
    losses = cross_entropy(params, *batch.examples)
    return jnp.sum(losses * batch.weights) / jnp.sum(batch.weights)


def evaluate(params, test):
    inputs, labels = test
    right = logits(params, inputs).argmax(axis=-1) == labels
    loss = jnp.mean(cross_entropy(params, inputs, labels))
    return {"accuracy": jnp.mean(right), "loss": loss}


def softmax_task(dtype=np.float64, server=None, learning_rate=0.1):
    """Softmax regression from zero."""
    start = np.zeros(FEATURES * CLASSES, dtype)
    local, server = optax.sgd(learning_rate), server or optax.sgd(1.0)
    return Task(lambda key: jnp.asarray(start), loss_fn, evaluate, local, server)


class Trainer:
    """A program for some schemes; data and network are inputs of every call."""

    def __init__(self, schemes, seeds=(0,), task=None, devices=None, clients=CLIENTS, **settings):
        self.clients = clients
        self.task = softmax_task(np.float32) if task is None else task
        self.settings = RoundSettings(schemes, **settings)
        self.words = seed_words(seeds)
        self.program = training_program(self.task, self.settings, devices=devices)

    def start(self):
        return initial_state(self.task, self.settings, self.words, self.clients)

    def __call__(self, links, data, state=None, first=0, num=5, scale=None, num_rounds=5):
        state = self.start() if state is None else state
        inputs = Inputs(data, data.examples, channel(links), code(links.num_clients), scale)
        return self.program(state, inputs, self.words, RoundSpan.of(first, num, num_rounds))

    def trail(self, links, data, num=5, scale=None):
        """States after every round (host copies), and the metrics of all rounds."""
        state, states, rows = self.start(), [], []
        for first in range(num):
            state, metrics = self(links, data, state, first, 1, scale, num)
            states.append(jax.tree.map(np.array, state))
            rows.append(jax.tree.map(lambda x: np.array(x[:, :, 0]), metrics))
        return states, jax.tree.map(lambda *x: np.stack(x, axis=2), *rows)
