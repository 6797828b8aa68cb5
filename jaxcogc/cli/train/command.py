"""`jaxcogc train`: what it does, imported when it is asked for."""

from jaxcogc.cli.train.options import TrainVerbOptions


def train(options: TrainVerbOptions) -> int:
    """What do lost and partial averages do to learning?

    Trains every scheme with every seed in one compiled program, over links that lose messages. All
    schemes of a seed see the same links and the same batches. --out keeps metrics.csv,
    summary.json, accuracy.png, partition.png, config.toml, and the checkpoints that --resume goes
    on from, to more --rounds too. Ctrl-C finishes the block of rounds in flight and saves it (exit
    code 130). A run that diverged is named, with exit code 1.
    """
    from jaxcogc.cli.train.request import read_request

    request = read_request(options)
    from jaxcogc.cli.train.run import run  # Optax, Flax: only now, past most mistakes

    return run(request)
