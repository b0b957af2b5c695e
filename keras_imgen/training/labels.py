"""The labels of a conditional model: checked, and brought into its networks."""

import numpy as np
from keras import ops

from keras_imgen import backends, checks


def network_inputs(network) -> tuple[tuple, int]:
    """Return the shape of what a network takes, and how many classes it tells apart.

    A conditional network takes a second input, a row of `num_classes` numbers for each entry, all 0
    but that of its class. Without it the classes are 0.
    """
    shapes = [tuple(tensor.shape) for tensor in network.inputs]
    if len(shapes) > 2 or (len(shapes) == 2 and (len(shapes[1]) != 2 or not shapes[1][1])):
        raise ValueError(
            "A network of a conditional model takes two inputs, the second of shape "
            "(batch, num_classes): its label, as a row of zeros with a one. "
            f"Received: {network.name!r}, which takes {shapes}."
        )
    return shapes[0], shapes[1][1] if len(shapes) == 2 else 0


def with_labels(x, labels):
    """Return what goes into a network: `x` alone, or with rows of labels."""
    return x if labels is None else [x, labels]


def label_rows(labels, num_classes: int):
    """Return the labels of a batch as rows, one for each picture; None if there are no classes."""
    if not num_classes:
        return None
    labels = ops.cast(ops.reshape(labels, (-1,)), "int32")
    return ops.one_hot(
        backends.check(
            ops.all((labels >= 0) & (labels < num_classes)),
            _between(num_classes) + "Received: others in a batch.",
            labels,
        ),
        num_classes,
        dtype="float32",
    )


def check_labels(labels, num_classes: int, count: int | None = None) -> np.ndarray:
    """Return labels as an array of whole numbers, or say what is wrong with them.

    Args:
        labels: one per picture, from 0 to `num_classes - 1`.
        num_classes: how many classes the model tells apart, at least 1.
        count: how many labels there must be; by default any number.
    """
    array = checks.labels(labels, count)
    wrong = array[(array < 0) | (array >= num_classes)]
    if wrong.size:
        raise ValueError(f"{_between(num_classes)}Received: {wrong[0]}.")
    return array.astype("int32")


def _between(num_classes):
    return f"Labels of this model lie between 0 and {num_classes - 1}, both included. "
