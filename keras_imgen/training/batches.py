"""Tells what a batch holds: pictures alone, pictures with labels, or pairs."""

from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from keras_imgen import backends, checks
from keras_imgen.checks import shown
from keras_imgen.data.dataset import NOISE, check_pairs, check_pictures

PAIRS = "for pairs of observed and clean pictures make a Restorer(network, degradation=None)"


class Batch(NamedTuple):
    """What a batch holds, as arrays or as tensors; a whole data set in memory is one, too.

    Attributes:
        clean: the pictures that are learned.
        labels: theirs, of a conditional model.
        observed: what is to become of them, of a model that learns from pairs.

    Example:
        >>> from keras_imgen.models import Batch
        >>> Batch(clean="pictures", labels="labels").observed is None
        True
    """

    clean: Any
    labels: Any = None
    observed: Any = None


def batch_of(model, data) -> Batch:
    """Return what a batch holds for a model.

    Args:
        model: a `PictureModel`.
        data: pictures; `(pictures, labels)`; a dict with the keys "image" and "label"; for a model
            that learns from pairs `(observed, clean)`, or a dict with these keys.

    Raises:
        ValueError: if something in it would have to be left out unread, or something is missing.
    """
    if isinstance(data, Batch):
        return data
    if model.learns_pairs:
        return _pair(model, data)
    if isinstance(data, dict):
        pictures, others = _named(data, "image"), {**data, "label": None}
        others.pop("image")
        found = [x for x in keras.tree.flatten(others) if _is_like(x, pictures)]
        labels = data.get("label")
    else:
        pictures, labels = _entries(data)
        found = []
    found += [x for x in keras.tree.flatten(labels) if _is_picture(x)]
    if found:
        raise ValueError(
            f"{type(model).__name__} learns from clean pictures alone"
            f"{', with their labels' if model.num_classes else ''}. Received: beside them an entry "
            f"of shape {tuple(found[0].shape)}, which is no label. Leave it out; {PAIRS}."
        )
    if model.num_classes and labels is None:
        raise ValueError(
            "A conditional model learns from pictures with labels. Received: pictures alone. Pass "
            "load(name, labels=True), a dataset of (pictures, labels), or labels as `y`."
        )
    return Batch(pictures, labels if model.num_classes else None)


def numbers_in(data):
    """Return a batch without the texts in a dict, such as names: few backends' steps take them."""
    if not isinstance(data, dict):
        return data
    return {
        key: value
        for key, value in data.items()
        if not any(_is_text(x) for x in keras.tree.flatten(value))
    }


def pictures_in(data) -> Batch:
    """Return what a batch holds, whatever model it is for: pairs are recognised by their shapes."""
    if isinstance(data, dict) and "clean" in data:
        return Batch(data["clean"], observed=_named(data, "observed"))
    if isinstance(data, dict):
        return Batch(_named(data, "image"), data.get("label"))
    first, second = _entries(data)
    return Batch(second, observed=first) if _is_picture(second) else Batch(first, second)


def checked_batch(model, data, name: str) -> Batch:
    """Return what a batch of arrays holds, if it is in this package's format and fits the model."""
    clean, labels, observed = batch_of(model, data)
    if observed is None:
        check_pictures(clean, model.image_shape, name)
    else:
        check_pictures(observed, model.observed_shape, f"observed pictures of {name}", NOISE)
        check_pictures(clean, model.image_shape, f"clean pictures of {name}")
        check_pairs(observed, clean)
    if model.num_classes:
        labels = check_labels(labels, model.num_classes, len(clean))
    return Batch(clean, labels, observed)


def step_batch(model, data) -> Batch:
    """Return what a training or test step works on: float32 tensors, and rows for labels.

    Args:
        model: the model whose step it is.
        data: a batch as `fit` takes it.

    Example:
        >>> import numpy as np
        >>> from keras_imgen import VAE, networks
        >>> from keras_imgen.models import step_batch
        >>> vae = VAE(networks.vae_encoder((8, 8, 1)), networks.vae_decoder((8, 8, 1)))
        >>> tuple(step_batch(vae, np.zeros((2, 8, 8, 1))).clean.shape)
        (2, 8, 8, 1)
    """
    clean, labels, observed = batch_of(model, data)
    clean = _tensor(clean, model.image_shape)
    if observed is not None:
        observed = _tensor(observed, model.observed_shape)
    return Batch(clean, _label_rows(labels, model.num_classes), observed)


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


ONE_PICTURE = (
    "A network with BatchNormalization cannot train on a batch of one picture, which it would turn "
    "into zeros. Received: such a batch. Choose a batch size that leaves no single picture over, "
    "or batch with drop_remainder=True."
)


def _pair(model, data):
    if isinstance(data, dict):
        for key in ("observed", "clean"):
            if key not in data:
                raise ValueError(
                    f"A {type(model).__name__} without a degradation learns from pairs: a batch "
                    'that is a dict must hold them under "observed" and "clean". Received: keys '
                    f"{shown(list(data))}."
                )
        return Batch(data["clean"], observed=data["observed"])
    observed, clean = _entries(data)
    rank = _rank(clean)
    if clean is None or (rank is not None and rank < 3):
        received = "pictures alone" if clean is None else "pictures with labels"
        raise ValueError(
            f"A {type(model).__name__} without a degradation learns from pairs. Received: "
            f"{received}. Pass fit(observed, clean) or a dataset of (observed, clean); or give it "
            "a degradation, which degrades clean pictures for it."
        )
    return Batch(clean, observed=observed)


def _entries(data):
    """Return pictures and what stands beside them, or None."""
    if not isinstance(data, tuple | list):
        return data, None
    entries = list(data)
    while entries and entries[-1] is None:
        entries.pop()
    if len(entries) > 2:
        raise ValueError(
            "A batch holds pictures, alone, with labels, or as pairs (observed, clean); all count "
            f"equally. Received: {len(entries)} entries. Leave out the others, such as weights."
        )
    return (*entries, None, None)[:2]


def _named(data, key):
    if key not in data:
        raise ValueError(
            'A batch that is a dict must hold its pictures under "image". '
            f'Received: keys {shown(list(data))}; {PAIRS}, whose keys are "observed" and '
            '"clean".'
        )
    return data[key]


def _rank(x):
    shape = getattr(x, "shape", None)
    # Of a tensor in a compiled step not even the number of axes need be known.
    return None if shape is None or getattr(shape, "rank", 0) is None else len(shape)


def _is_text(x):
    dtype = x.dtype if hasattr(x, "dtype") else np.asarray(x).dtype
    return getattr(dtype, "kind", "") in ("U", "S", "O") or "string" in str(dtype)


def _is_picture(x):
    return (_rank(x) or 0) >= 3  # labels are numbers, or rows of them


def _is_like(x, pictures):
    # A set of TFDS may bring masks of whole numbers, which nobody takes for pictures.
    same = _is_picture(x) and _rank(pictures) and tuple(x.shape) == tuple(pictures.shape)
    return same and "float" in str(x.dtype)


def _tensor(pictures, shape):
    # A stream that was read by Python's functions does not know the shape of what it holds.
    return backends.with_shape(ops.cast(pictures, "float32"), (None, *shape))


def _label_rows(labels, num_classes: int):
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


def _between(num_classes):
    return f"Labels of this model lie between 0 and {num_classes - 1}, both included. "
