"""Takes the first pictures of whatever holds pictures, for callbacks that show or compare them."""

import itertools

import keras
import numpy as np

from keras_imgen.data import PictureDataset, check_pictures
from keras_imgen.data.dataset import NOISE, check_pairs
from keras_imgen.training import Batch, pictures_in


def first_pictures(pictures, n: int):
    """Return the first `n` clean pictures, as `first_batch` does; None stays None."""
    return None if pictures is None else first_batch(pictures, n).clean


def first_batch(pictures, n: int) -> Batch:
    """Return the first `n` pictures, checked, and of pairs what was observed of them.

    Args:
        pictures: array, `PictureDataset`, `keras.utils.PyDataset` or `tf.data.Dataset` of pictures,
            or of pairs `(observed, clean)`; a pair of arrays.
        n: how many, if there are so many.

    Raises:
        TypeError, ValueError: if they are not in the format of this package.
    """
    if isinstance(pictures, PictureDataset):
        pairs = pictures.observed is not None
        return Batch(pictures.take(n), observed=pictures.take_observed(n) if pairs else None)
    clean, observed = [], []
    for data in _batches(pictures):
        batch = pictures_in(data)
        check_pictures(batch.clean)
        clean.append(keras.ops.convert_to_numpy(batch.clean[:n]).astype("float32"))
        if batch.observed is not None:
            check_pictures(batch.observed, name="observed", noise=NOISE)
            check_pairs(batch.observed, batch.clean)
            observed.append(keras.ops.convert_to_numpy(batch.observed[:n]).astype("float32"))
        if sum(map(len, clean)) >= n:
            break
    if not clean:
        raise ValueError("`pictures` holds no picture. Received: a dataset of 0 batches.")
    return Batch(_joined(clean)[:n], observed=_joined(observed)[:n] if observed else None)


def _batches(pictures):
    if isinstance(pictures, keras.utils.PyDataset):
        count = pictures.num_batches
        places = itertools.count() if count is None else range(count)
        return (pictures[index] for index in places)
    return pictures if hasattr(pictures, "cardinality") else [pictures]


def _joined(parts):
    if len({part.shape[1:] for part in parts}) > 1:
        raise ValueError(
            "Pictures that are shown together must have equal sizes. Received: shapes "
            f"{parts[0].shape[1:]} and others. Pass fewer, or an array."
        )
    return np.concatenate(parts)
