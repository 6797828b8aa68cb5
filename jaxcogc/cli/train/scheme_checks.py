"""Schemes and options of `jaxcogc train` that do not go together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from jaxcogc.cli.shared.errors import UserError, blame, rejected
from jaxcogc.cli.train.options import TrainOptions
from jaxcogc.names import SECURE_SCHEMES

if TYPE_CHECKING:
    from jaxcogc.coding.codes import GradientCode
    from jaxcogc.links.memory import LinkDynamics


def check_schemes(options: TrainOptions, code: GradientCode, dynamics: LinkDynamics | None) -> None:
    """Raise a UserError where a scheme was asked for beside something that it cannot have.

    Args:
      options: what was asked for.
      code: of the coded schemes.
      dynamics: how links hang together in time.
    """
    num_clients = code.num_clients
    if options.min_recovered > num_clients:
        raise rejected("--min-recovered", options.min_recovered, f"at most {num_clients} clients")
    if options.relay_window is not None and options.relay_window >= num_clients:
        allowed = f"at most {num_clients - 1} (clients - 1)"
        raise rejected("--relay-window", options.relay_window, allowed)
    _check_masks(options, code)
    if "colrel" not in options.scheme:
        for name in ("relay_objective", "relay_window"):
            if options.differs(name):
                flag, value = options.flag(name), getattr(options, name)
                raise rejected(flag, value, "nothing without --scheme colrel")
        return
    if options.keep_heard:
        raise UserError(
            "--scheme colrel with --keep-heard: the weights of relays are those of attempts that "
            "forget; allowed is one of the two"
        )
    if dynamics is not None and np.any(dynamics.block_probability):
        raise UserError(
            "--scheme colrel with blocked clients: no weights of relays fit links that fail "
            "together; allowed is one of the two"
        )


def _check_masks(options: TrainOptions, code: GradientCode) -> None:
    for name in ("mask_ratio", "masks"):
        if options.differs(name) and not set(SECURE_SCHEMES) & set(options.scheme):
            flag, value = options.flag(name), getattr(options, name)
            raise rejected(flag, value, "nothing without a secure scheme")
    over_field = options.masks == "field"
    if over_field:
        from jaxcogc.federated.privacy.masks import check_field_masks

        if options.differs("mask_ratio"):
            raise rejected("--mask-ratio", options.mask_ratio, "nothing with --masks field")
        with blame("--masks field"):
            check_field_masks(code)
    if not options.masked_partials:
        return
    if "secure_row_space" not in options.scheme:
        raise UserError("--masked-partials: allowed with --scheme secure-row-space")
    if over_field or options.aggregation != "payload":
        raise UserError(
            "--masked-partials: allowed with --masks real and --aggregation payload, as what masks "
            "leave in an average over some clients has to be added, and over the field is all "
            "there is"
        )
