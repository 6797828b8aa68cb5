"""`make demo`: a made-up hall, a measured network if there is one, sweeps, bursts and training."""

import time
from pathlib import Path

from bursts import runs
from digits_over_bad_links import digits_over_bad_links
from hall_map import hall_map
from hall_network import SHIPPED
from outage_curves import outage_curves
from outage_table import outage_table

from jaxcogc import Network

PROJECT = Path(__file__).resolve().parent.parent
FOLDER = PROJECT / "results" / "demo"
# Packet delivery ratios measured in a wireless testbed; not part of this project.
MEASURED = PROJECT.parent / "shared" / "networks" / "grenoble-16.json"


def main() -> None:
    """Run everything and end with a line for each file."""
    started = time.perf_counter()
    FOLDER.mkdir(parents=True, exist_ok=True)
    files = hall_map(FOLDER)
    networks = [SHIPPED, MEASURED] if MEASURED.is_file() else [SHIPPED]
    for network in networks:
        files += outage_table(network.stem, Network.from_json(network), FOLDER)
    files += outage_curves(FOLDER)
    files += runs(FOLDER)
    files += digits_over_bad_links(FOLDER)
    print(f"\n{time.perf_counter() - started:.0f} s. What each file shows:")
    width = max(len(path.name) for path, _ in files)
    for path, meaning in files:
        print(f"  {path.relative_to(PROJECT).parent}/{path.name:<{width}}  {meaning}")


if __name__ == "__main__":
    main()
