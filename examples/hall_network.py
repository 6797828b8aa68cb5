"""A made-up factory hall: twelve clients, an access point, and how likely each link is to fail.

    python examples/hall_network.py [FILE.json]

writes the network file that `jaxcogc outage --network FILE.json` reads (default: the shipped copy
examples/networks/hall-12.json). Nothing here was measured: the seed and every number below were
chosen for this example, so that some uplinks are good and some are bad.
"""

import json
import sys
from pathlib import Path

import numpy as np

from jaxcogc import Network

SHIPPED = Path(__file__).parent / "networks" / "hall-12.json"

HALL_METRES = (100.0, 60.0)
NUM_CLIENTS = 12
MIN_DISTANCE_METRES = 8.0  # machines do not stand in each other's way,
WALL_METRES = 3.0  # nor against a wall
ACCESS_POINT_METRES = (50.0, 0.0)  # on the middle of a long wall
SEED = 12

# One kind of radio on clients and access point: mean SNR 60 dB at 1 m, falling with distance^-3.
SNR_DB_AT_1_METRE = 60.0
PATH_LOSS_EXPONENT = 3.0
# Uplinks carry coded sums at 2 bit/s/Hz; between clients a more robust 1 bit/s/Hz will do.
UPLINK_RATE = 2.0
PEER_RATE = 1.0


def place_clients() -> np.ndarray:
    """Positions [clients, 2] in metres: drawn one by one, too close ones drawn again."""
    random = np.random.default_rng(SEED)
    placed: list[np.ndarray] = []
    while len(placed) < NUM_CLIENTS:
        point = random.uniform(WALL_METRES, np.array(HALL_METRES) - WALL_METRES).round(1)
        if all(np.hypot(*(point - other)) >= MIN_DISTANCE_METRES for other in placed):
            placed.append(point)
    return np.array(placed)


def hall_network() -> tuple[Network, np.ndarray]:
    """The network and its clients' positions [clients, 2] in metres."""
    positions = place_clients()
    network = Network.from_positions(
        positions,
        ACCESS_POINT_METRES,
        snr_at_reference=10 ** (SNR_DB_AT_1_METRE / 10),
        path_loss_exponent=PATH_LOSS_EXPONENT,
        rate=PEER_RATE,
        uplink_rate=UPLINK_RATE,
    )
    return network, positions


def network_file() -> str:
    """The network file's text; the fields beyond the network's own are for the reader."""
    network, positions = hall_network()
    fields = {
        "source": "made by examples/hall_network.py; every parameter was chosen for this example",
        "hall_metres": HALL_METRES,
        "access_point_metres": ACCESS_POINT_METRES,
        "positions_metres": positions.tolist(),
        "snr_db_at_1_metre": SNR_DB_AT_1_METRE,
        "path_loss_exponent": PATH_LOSS_EXPONENT,
        "uplink_rate": UPLINK_RATE,
        "peer_rate": PEER_RATE,
    }
    lines = [f" {json.dumps(name)}: {json.dumps(value)}," for name, value in fields.items()]
    return "{\n" + "\n".join(lines) + "\n " + network.to_json().removeprefix("{") + "\n"


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else SHIPPED
    target.write_text(network_file())
    made = Network.from_json(target)
    uplinks = ", ".join(f"{p:.2f}" for p in sorted(made.uplink_erasure))
    peer = made.peer_erasure[~np.eye(NUM_CLIENTS, dtype=bool)]
    print(f"{target}: uplink erasure {uplinks}")
    print(f"peer erasure {peer.min():.3f} to {peer.max():.3f}, median {np.median(peer):.3f}")
