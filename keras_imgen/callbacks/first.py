"""Takes the first pictures of whatever holds pictures, for callbacks that show or compare them."""

import itertools

import keras
import numpy as np

from keras_imgen.data import PictureDataset, check_pictures
from keras_imgen.data.dataset import NOISE, check_pairs
from keras_imgen.training import Batch, pictures_in
from keras_imgen.training.grain import from_grain


def first_batch(pictures, n: int) -> Batch:
    """Return the first `n` pictures, checked, with their labels, and of pairs what was observed.

    Args:
        pictures: array, `PictureDataset`, `keras.utils.PyDataset`, `grain.MapDataset` or
            `tf.data.Dataset` of pictures, alone, with labels, or of pairs `(observed, clean)`; a
            pair of arrays; None for none.
        n: how many, if there are so many.

    Raises:
        TypeError, ValueError: if they are not in the format of this package.
    """
    pictures = from_grain(pictures, "pictures")
    if pictures is None:
        return Batch(None)
    if isinstance(pictures, PictureDataset):
        return _first_of(pictures, n)
    parts = {"clean": [], "labels": [], "observed": []}
    for data in _batches(pictures):
        batch = pictures_in(data)
        check_pictures(batch.clean)
        if batch.observed is not None:
            check_pictures(batch.observed, name="observed", noise=NOISE)
            check_pairs(batch.observed, batch.clean)
        for name in ("clean", "observed"):
            if (value := getattr(batch, name)) is not None:
                parts[name].append(_as_array(value[:n]).astype("float32"))
        if _are_labels(batch.labels):
            parts["labels"].append(_as_array(batch.labels[:n]))
        if sum(map(len, parts["clean"])) >= n:
            break
    if not parts["clean"]:
        raise ValueError("`pictures` holds no picture. Received: a dataset of 0 batches.")
    return Batch(**{name: _joined(part)[:n] if part else None for name, part in parts.items()})


def labels_for(model, labels):
    """Return the labels that a model must be told with pictures; none of one without classes."""
    if not model.num_classes:
        return ()
    if labels is None:
        raise ValueError(
            "A conditional model is asked about pictures with their labels. Received: `pictures` "
            f"alone, for a {type(model).__name__} of {model.num_classes} classes. Pass "
            "load(name, labels=True), a dataset of (pictures, labels), or a pair of arrays."
        )
    return (labels,)


def _first_of(dataset, n):
    labels, observed = dataset.labels, None
    if labels is not None:  # of crops, the first of every picture comes before the second of any
        labels = np.tile(labels, dataset.crops)[:n]
    if dataset.observed is not None:
        observed = dataset.take_observed(n)
    return Batch(dataset.take(n), labels, observed)


def _batches(pictures):
    if isinstance(pictures, keras.utils.PyDataset):
        count = pictures.num_batches
        places = itertools.count() if count is None else range(count)
        return (pictures[index] for index in places)
    return pictures if hasattr(pictures, "cardinality") else [pictures]


def _are_labels(value):
    # Who brings something else beside the pictures has a model that leaves it alone.
    return isinstance(value, list) or len(getattr(value, "shape", ())) > 0


def _as_array(value):
    return keras.ops.convert_to_numpy(value)


def _joined(parts):
    if len({part.shape[1:] for part in parts}) > 1:
        raise ValueError(
            "Pictures that are shown together must have equal sizes. Received: shapes "
            f"{parts[0].shape[1:]} and others. Pass fewer, or an array."
        )
    return np.concatenate(parts)
