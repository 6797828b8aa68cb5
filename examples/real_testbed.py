"""Training over the links of a real wireless testbed, measured one by one.

    python examples/real_testbed.py [NETWORK.json] [FOLDER]

The default network is a file of packet delivery ratios beside this project, which is not part of
it; where it is missing, the made-up hall of `hall_network.py` takes its place. Leaves a table and a
picture in FOLDER (default: results).
"""

import sys
from pathlib import Path

import jax
from digits_over_bad_links import leave, train, training_plan
from hall_network import SHIPPED
from points import leave_results

from jaxcogc import Network, cyclic_code

MEASURED = Path(__file__).resolve().parents[2] / "shared" / "networks" / "grenoble-16.json"


def real_testbed(path: Path, folder: Path) -> list[tuple[Path, str]]:
    """Train over the network of a file; returns the files and what they show."""
    network = Network.from_json(path)
    code = cyclic_code(jax.random.key(0), network.num_clients, network.num_clients // 2)
    plan = training_plan(network, code, classes_per_client=2)
    title = f"two digits a client over the links of {path.stem}"
    return leave(plan, train(plan), f"training-{path.stem}", title, folder)


if __name__ == "__main__":
    default = MEASURED if MEASURED.is_file() else SHIPPED
    source = Path(sys.argv[1]) if len(sys.argv) > 1 else default
    leave_results(lambda folder: real_testbed(source, folder), 2)
