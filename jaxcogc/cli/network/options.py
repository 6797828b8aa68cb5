"""`jaxcogc network`: its options."""

from __future__ import annotations

import dataclasses

from jaxcogc.allowed import POSITIVE, choice, number
from jaxcogc.cli.shared.files import File
from jaxcogc.cli.shared.options import option, output, picture, switch
from jaxcogc.cli.shared.picture_options import PictureOptions
from jaxcogc.names import MISSING_LINKS


@dataclasses.dataclass(frozen=True, kw_only=True)
class NetworkVerbOptions(PictureOptions):
    """What can be asked."""

    verb_name = "network"
    file: str = option(
        "FILE",
        "A network file, or a CSV list.",
        default=...,
        argument=True,
        file=File(reads=True, again=True),
    )
    server: str | None = option("NAME", "The server in a CSV list.", shown="who never sends")
    percent: bool = switch("Ratios of a CSV list are percentages.")
    missing_links: str = option(
        "POLICY",
        f"Pairs that a CSV list lacks: {', '.join(MISSING_LINKS)} (nothing arrives).",
        choice(MISSING_LINKS),
        MISSING_LINKS[0],
    )
    rate: float | None = option("R", "Bit/s/Hz, for snr and rssi.", POSITIVE)
    noise_dbm: float | None = option(
        "N", "Noise power in dBm, for rssi.", number(-300, 100, "dBm between -300 and 100")
    )
    json: str | None = output("FILE|-", "The numbers (- : standard output).")
    plot: str | None = picture("A map of all links (png, svg or pdf).")
    write_network: str | None = output("FILE.json", "The network file of it.", ".json")
    quiet: bool = switch("No table.")

    def starts_jax(self) -> bool:
        """See `Options`."""
        return True
