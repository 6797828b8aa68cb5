"""`jaxcogc network`: what it does, imported when it is asked for."""

from jaxcogc.cli.network.options import NetworkVerbOptions


def network(options: NetworkVerbOptions) -> int:
    """What is a network like: its size, how bad its links are, who is cut off?

    Reads a network file (JSON), or a CSV list of measured links whose header names receiver, sender
    and one of pdr, per (ratios), snr (dB) and rssi (dBm). --write-network makes the file that the
    other verbs take.
    """
    from jaxcogc.cli.network.run import run

    return run(options)
