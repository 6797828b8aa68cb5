"""The competitors: a Python loop over clients, with jitted steps or in PyTorch.

Both are given the samples and coefficients of every round, so they draw nothing and decode nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.training_case import LEARNING_RATE, Case, Script
from jaxcogc.federated import Batch


def why_no_torch() -> str | None:
    """None when PyTorch is installed, else what to say in its place."""
    return None if find_spec("torch") else "torch is not installed: pip install 'jaxcogc[bench]'"


def jitted_steps(case: Case, script: Script, start: Any) -> Callable[[], Any]:
    """One compiled local step, called clients x steps times a round."""
    examples = case.inputs.data.examples
    key = jax.random.key(0)
    ones = jnp.ones(case.size.batch_size)

    @jax.jit
    def step(params: Any, rows: jax.Array) -> Any:
        batch = Batch(jax.tree.map(lambda x: x[rows], examples), ones)
        gradient = jax.grad(case.task.loss_fn)(params, batch, key)
        return jax.tree.map(lambda x, g: x - LEARNING_RATE * g, params, gradient)

    @jax.jit
    def add(params: Any, total: Any, trained: Any, weight: jax.Array) -> Any:
        return jax.tree.map(lambda t, x, old: t + weight * (x - old), total, trained, params)

    def run() -> Any:
        params = start
        for samples, weights in zip(script.samples, script.weights, strict=True):
            total = params
            for rows, weight in zip(samples, weights, strict=True):
                trained = params
                for step_rows in rows:
                    trained = step(trained, step_rows)
                total = add(params, total, trained, weight)
            params = total
        return jax.device_get(params)

    return run


def torch_loop(case: Case, script: Script, start: Any) -> Callable[[], Any]:
    """The loop as a user of PyTorch would write it."""
    import torch

    inputs, labels = (torch.from_numpy(np.array(x)) for x in case.inputs.data.examples)
    inputs, labels = inputs.reshape(len(inputs), -1), labels.long()
    hidden, output = (
        torch.nn.Linear(*np.shape(start[name]["kernel"])) for name in ("hidden", "output")
    )
    model = torch.nn.Sequential(hidden, torch.nn.ReLU(), output)
    loss_fn = torch.nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE)
    samples = torch.from_numpy(script.samples.astype(np.int64))
    leaves = [np.array(start[name][part]) for name in start for part in ("kernel", "bias")]
    first = [torch.from_numpy(leaf.T.copy()) for leaf in leaves]

    def run() -> Any:
        state = [value.clone() for value in first]
        for number, weights in enumerate(script.weights):
            total = [value.clone() for value in state]
            for client, weight in enumerate(weights):
                with torch.no_grad():
                    for parameter, value in zip(model.parameters(), state, strict=True):
                        parameter.copy_(value)
                for rows in samples[number, client]:
                    optimizer.zero_grad()
                    loss_fn(model(inputs[rows]), labels[rows]).backward()
                    optimizer.step()
                with torch.no_grad():
                    for part, parameter, value in zip(
                        total, model.parameters(), state, strict=True
                    ):
                        part += float(weight) * (parameter - value)
            state = total
        arrays = [value.numpy().T for value in state]
        return {
            "hidden": {"kernel": arrays[0], "bias": arrays[1]},
            "output": {"kernel": arrays[2], "bias": arrays[3]},
        }

    return run
