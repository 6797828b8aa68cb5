"""A picture of who holds which samples."""

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes

from jaxcogc.federated.data.partitions import Partition
from jaxcogc.figures.look import Look
from jaxcogc.figures.style import Figure, new_figure, place_legend

_MOST_NAMED_CLASSES = 20
_HATCHES = ("", "///", "...", "\\\\\\", "xxx")
"""Classes side by side differ in these: not by colour alone."""
_ITSELF = Look()


def class_counts(partition: Partition, labels: np.ndarray, num_classes: int) -> np.ndarray:
    """How many samples of each class every client holds.

    Args:
      partition: of `labels` among clients.
      labels: integers [samples] in 0 .. num_classes - 1.
      num_classes: number of labels.

    Returns:
      int64 [clients, classes].
    """
    return np.stack(
        [
            np.bincount(np.asarray(labels)[row[:size]], minlength=num_classes)
            for row, size in zip(partition.indices, partition.num_samples, strict=True)
        ]
    )


def partition_figure(
    partition: Partition,
    labels: np.ndarray,
    num_classes: int,
    *,
    title: str = "Who holds which samples",
    look: Look = _ITSELF,
) -> Figure:
    """Bars of the clients' samples, one colour a class.

    Args:
      partition: of `labels` among clients.
      labels: integers [samples] in 0 .. num_classes - 1.
      num_classes: number of labels.
      title: over the picture.
      look: size, letters and words.

    Returns:
      A figure: a stacked bar for each client, as high as its number of samples.
    """
    counts = class_counts(partition, labels, num_classes)
    sizes = partition.num_samples
    caption = (
        f"{sizes.sum():,} samples; {sizes.min():,} to {sizes.max():,} a client; "
        f"{(counts > 0).sum(axis=1).min()} to {(counts > 0).sum(axis=1).max()} classes a client"
    )
    with new_figure(title, caption, height=look.tall(3.5), look=look) as figure:
        axes = draw_partition(figure.subplots(), partition, labels, num_classes)
        if num_classes <= _MOST_NAMED_CLASSES:
            handles = axes.get_legend_handles_labels()[0][::-1]
            place_legend(figure, handles, look, title="class")
    return figure


def draw_partition(axes: Axes, partition: Partition, labels: np.ndarray, num_classes: int) -> Axes:
    """Bars of the clients' samples, one colour a class.

    Args:
      axes: to draw in.
      partition: of `labels` among clients.
      labels: integers [samples] in 0 .. num_classes - 1.
      num_classes: number of labels.

    Returns:
      The axes, whose legend names the classes.
    """
    counts = class_counts(partition, labels, num_classes)
    clients = np.arange(len(counts))
    colours = mpl.colormaps["tab20" if num_classes > 10 else "tab10"]
    below = np.zeros(len(counts))
    for label in range(num_classes):
        axes.bar(
            clients,
            counts[:, label],
            bottom=below,
            color=colours(label % colours.N),
            label=str(label),
            edgecolor="white",
            linewidth=0.4,
            hatch=_HATCHES[label % len(_HATCHES)],
        )
        below += counts[:, label]
    axes.grid(axis="x", visible=False)
    axes.set(xlabel="client", ylabel="samples")
    if len(clients) <= 40:
        axes.set_xticks(clients)
    return axes
