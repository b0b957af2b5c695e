"""Finds the nearest training pictures of samples, and tells by them whether a model copies."""

import math
from typing import NamedTuple

import numpy as np

from keras_imgen import checks

__all__ = ["Memorization", "memorization", "nearest"]

# Of both sets at a time: their distances and 64-bit copies stay below 100 MB, for any number.
_BLOCK, _VALUES = 1024, 2**22


class Memorization(NamedTuple):
    """What `memorization` found; printed, it is one sentence.

    Attributes:
        indices: of each sample the nearest training picture, shape `(n,)`.
        distances: of each sample to that picture, shape `(n,)`.
        held_out_distances: of each held-out picture to its nearest training picture, `(m,)`.
        threshold: distance below which only the share `expected` of held-out pictures lies.
        share: share of the samples that are at most so far away, 0 to 1.
        expected: what `share` would be for samples that are no copies, about.

    Example:
        >>> import numpy as np
        >>> from keras_imgen.metrics import Memorization
        >>> zeros = np.zeros(4)
        >>> print(Memorization(zeros, zeros, zeros + 0.2, 0.1, 1.0, 0.01))
        100.0 % of the samples lie within 0.1 of a training picture; of held-out pictures 1 % do.
    """

    indices: np.ndarray
    distances: np.ndarray
    held_out_distances: np.ndarray
    threshold: float
    share: float
    expected: float

    def __str__(self):
        return (
            f"{100 * self.share:.1f} % of the samples lie within {self.threshold:.3g} of a "
            f"training picture; of held-out pictures {100 * self.expected:.3g} % do."
        )


def nearest(pictures, among, k: int = 1):
    """Find the pictures of one set that are nearest to each picture of another.

    The distance is the root of the mean squared difference per pixel: 0 for equal pictures, 1 for
    black and white. It compares pixel by pixel: a copy that was moved by one pixel is far away.

    Args:
        pictures: float array in [0, 1], `(n, height, width, channels)`.
        among: the pictures to be found, `(m, height, width, channels)`.
        k: how many for each one, at most m.

    Returns:
        `(indices, distances)`, both of shape `(n, k)`, the nearest first.

    Raises:
        ValueError: if the sets are empty, or their pictures differ in shape.

    Example:
        >>> from keras_imgen import load
        >>> from keras_imgen.metrics import nearest
        >>> digits = load("digits").take(100)
        >>> indices, distances = nearest(digits[40:42], digits)
        >>> indices.ravel().tolist(), distances.ravel().tolist()
        ([40, 41], [0.0, 0.0])
    """
    pictures, among = _flat("pictures", pictures), _flat("among", among)
    if pictures.shape[1:] != among.shape[1:]:
        raise ValueError(
            "Both sets must hold pictures of one shape. Received: pictures of "
            f"{pictures.shape[1]} values and of {among.shape[1]}. Resize one set."
        )
    k = checks.whole_number("k", k, 1, "It is how many pictures are found.", most=len(among))
    size = max(1, min(_BLOCK, _VALUES // pictures.shape[1]))
    found = [
        _nearest_of(pictures[i : i + size], among, k, size) for i in range(0, len(pictures), size)
    ]
    indices, distances = zip(*found, strict=True)
    return np.concatenate(indices), np.concatenate(distances)


def memorization(samples, training, held_out, quantile: float = 0.01) -> Memorization:
    """Tell whether samples are nearer to the training pictures than new pictures are.

    The yardstick is held-out pictures, which certainly were not copied: the threshold is the
    distance within which a small share of them finds a training picture. Of a model's samples about
    the same share should, and of copies all.

    Pictures that are smoother than real ones are near to everything: blurred samples raise the
    share, and are no copies. So look at the nearest pairs, too
    (`keras_imgen.plotting.plot_neighbors`).

    Args:
        samples: float array in [0, 1], `(n, height, width, channels)`; 1000 are a good number.
        training: what the model was trained on, all of it.
        held_out: pictures of the same source that it was not trained on; with a quantile of 1 %, a
            few hundred.
        quantile: the share of held-out pictures that sets the threshold, 0 to 1.

    Returns:
        A `Memorization`.

    Raises:
        ValueError: if a set is empty, or they differ in shape.

    Source: the comparison with held-out pictures: Meehan et al. 2020 (arXiv 2004.05675);
        why a look at neighbors alone may miss copies: Theis et al. 2016 (arXiv 1511.01844).

    Example:
        >>> from keras_imgen import load
        >>> from keras_imgen.metrics import memorization
        >>> training, held_out = load("digits").take(1000), load("digits", "test").take(200)
        >>> memorization(training[:50], training, held_out).share  # a model that copies
        1.0
    """
    quantile = checks.number("quantile", quantile, 0.0, 1.0, "For 1 % pass 0.01.")
    indices, distances = (part[:, 0] for part in nearest(samples, training))
    held_out_distances = nearest(held_out, training)[1][:, 0]
    threshold = float(np.quantile(held_out_distances, quantile))
    # Not `<`: with equal pictures in both sets the threshold is 0, and copies lie at 0.
    share = float(np.mean(distances <= threshold))
    return Memorization(indices, distances, held_out_distances, threshold, share, quantile)


def _nearest_of(pictures, among, k, size):
    """Return `nearest` of so few pictures that they fit into memory, however many are searched."""
    pictures = pictures.astype("float64")
    rows = np.arange(len(pictures))[:, None]
    best = np.empty((len(pictures), 0), int), np.empty((len(pictures), 0))
    for start in range(0, len(among), size):
        block = among[start : start + size].astype("float64")
        # |a - b|^2 = |a|^2 + |b|^2 - 2 ab, in 64 bits; |a|^2 is the same for all of `among`.
        squares = np.sum(block**2, axis=1) - 2.0 * pictures @ block.T
        places = np.broadcast_to(start + np.arange(len(block)), squares.shape)
        candidates = [
            np.concatenate(pair, axis=1) for pair in zip(best, (places, squares), strict=True)
        ]
        chosen = np.argsort(candidates[1], axis=1, kind="stable")[:, :k]
        best = tuple(values[rows, chosen] for values in candidates)
    # The difference itself: what was subtracted above leaves 1e-8 in place of a 0.
    differences = [
        among[places].astype("float64") - picture
        for places, picture in zip(best[0], pictures, strict=True)
    ]
    distances = np.sqrt(np.mean(np.square(differences), axis=2))
    order = np.argsort(distances, axis=1, kind="stable")
    return best[0][rows, order], distances[rows, order]


def _flat(name, pictures):
    """Return pictures as rows of values, or raise if they are none."""
    pictures = checks.array(pictures)
    if pictures.ndim < 2 or 0 in pictures.shape or "float" not in checks.dtype_name(pictures):
        raise ValueError(
            f"`{name}` must be pictures in [0, 1], a floating-point array of shape (n, height, "
            f"width, channels). Received: shape={pictures.shape}, dtype={pictures.dtype}. Of a "
            "dataset pass `dataset.take(dataset.num_pictures)`."
        )
    if not np.all(np.isfinite(pictures)):
        raise ValueError(f"`{name}` must hold numbers. Received: NaN or infinity among them.")
    return pictures.reshape(len(pictures), math.prod(pictures.shape[1:]))
