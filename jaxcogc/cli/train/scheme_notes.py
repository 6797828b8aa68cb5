"""What a run's schemes are built on and its results must not hide."""

from __future__ import annotations

import math
from typing import Any

from jaxcogc.names import hyphened
from jaxcogc.training.foreknowledge import largest_inverse
from jaxcogc.training.leaks import run_leaks
from jaxcogc.training.plan import TrainingPlan
from jaxcogc.training.trained import Trained


def inverse_probabilities(plan: TrainingPlan) -> dict[str, Any]:
    """The largest 1 / P(client is recovered) by scheme, None where infinite; empty without such.

    Args:
      plan: of the run.
    """
    found = {} if plan.known is None else largest_inverse(plan.known)
    finite = {f"{name}_unbiased": x if math.isfinite(x) else None for name, x in found.items()}
    return {"largest_inverse_probability": finite} if finite else {}


def leak_fields(plan: TrainingPlan, trained: Trained) -> dict[str, Any]:
    """What schemes with masks leaked, by scheme; empty without such."""
    found = {name: leak._asdict() for name, leak in run_leaks(plan, trained).items()}
    settings = plan.settings
    ratio = settings.mask_ratio if settings.masks == "real" else None
    return {"leak": found, "masks": settings.masks, "mask_ratio": ratio} if found else {}


def leak_text(plan: TrainingPlan, trained: Trained) -> str:
    """The same in words, for a caption."""
    text = ""
    for name, leak in run_leaks(plan, trained).items():
        bits = "all" if leak.bits is None else f"{leak.bits:.2g} bits a coordinate and round"
        text += f"; {hyphened(name)} leaks {bits} beyond the sum"
    return text


def unbiased_text(plan: TrainingPlan) -> str:
    """The same in words, for a caption."""
    text = ""
    for name, value in inverse_probabilities(plan).get("largest_inverse_probability", {}).items():
        told = "some client is never recovered" if value is None else f"weights up to {value:.3g}/M"
        text += f"; {hyphened(name)}: {told}"
    return text
