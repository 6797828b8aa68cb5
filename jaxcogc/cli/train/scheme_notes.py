"""What a run's schemes are built on and its results must not hide."""

from __future__ import annotations

import math
from typing import Any

from jaxcogc.names import hyphened
from jaxcogc.training.foreknowledge import largest_inverse
from jaxcogc.training.plan import TrainingPlan


def inverse_probabilities(plan: TrainingPlan) -> dict[str, Any]:
    """The largest 1 / P(client is recovered) by scheme, None where infinite; empty without such.

    Args:
        plan: of the run.
    """
    found = {} if plan.known is None else largest_inverse(plan.known)
    finite = {f"{name}_unbiased": x if math.isfinite(x) else None for name, x in found.items()}
    return {"largest_inverse_probability": finite} if finite else {}


def unbiased_text(plan: TrainingPlan) -> str:
    """The same in words, for a caption."""
    text = ""
    for name, value in inverse_probabilities(plan).get("largest_inverse_probability", {}).items():
        told = "some client is never recovered" if value is None else f"weights up to {value:.3g}/M"
        text += f"; {hyphened(name)}: {told}"
    return text
