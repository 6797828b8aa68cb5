"""How much of the rounding in the coded sums comes back in the recovered update?

    python examples/payload_errors.py

prints a table: amplification over the sets of rows that decode (quantiles), and the relative error
of the recovered sum when payloads are float32 and bfloat16, predicted and measured (medians).
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from jaxcogc import GradientCode, cyclic_code, cyclic_mds_code, fractional_repetition_code
from jaxcogc.coding import decodable_sets, measured_error, predicted_error

KEY = jax.random.key(0)
QUANTILES = (0.1, 0.5, 0.9, 0.99)


def shipped_codes() -> list[GradientCode]:
    """The codes of the table, small ones first."""
    sizes = ((10, 3), (10, 7), (30, 15), (60, 31))
    cyclic = [cyclic_code(KEY, clients, stragglers) for clients, stragglers in sizes]
    mds = [cyclic_mds_code(clients, stragglers) for clients, stragglers in sizes]
    return [*cyclic, *mds, fractional_repetition_code(10, 4)]


def error_table(codes: Sequence[GradientCode]) -> list[str]:
    """A line of Markdown for each code."""
    head = ["code", "M, s", *(f"{100 * q:g} %" for q in QUANTILES)]
    head += [f"{dtype} {what}" for dtype in ("float32", "bfloat16") for what in ("pred.", "meas.")]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for code in codes:
        sets = decodable_sets(code)
        cells = [code.family, f"{code.num_clients}, {int(code.num_stragglers)}"]
        cells += [f"{q:.3g}" for q in np.quantile(sets.amplification, QUANTILES)]
        for dtype in (jnp.float32, jnp.bfloat16):
            for errors in (
                predicted_error(code, dtype, sets),
                measured_error(KEY, code, dtype, sets),
            ):
                cells.append(f"{np.median(errors):.1e}")
        lines.append("| " + " | ".join(cells) + " |")
    return lines


if __name__ == "__main__":
    print("\n".join(error_table(shipped_codes())))
