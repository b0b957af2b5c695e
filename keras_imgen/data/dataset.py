"""`PictureDataset`, which serves batches to `fit`, and the picture format that it guarantees."""

import math
import os
from collections.abc import Sequence

import keras
import numpy as np

from keras_imgen import checks
from keras_imgen.checks import FLOATS, dtype_name, whole_number
from keras_imgen.data.levels import binarized, to_float
from keras_imgen.data.streamed import StreamedPictures, shapes_of

NOISE = 15.0  # how far observed pictures may leave [0, 1]; what goes farther has another range


def check_pictures(
    pictures, image_shape: Sequence | None = None, name: str = "pictures", noise: float = 0.0
) -> None:
    """Raise one clear error if `pictures` is not a batch of pictures in this package's format.

    Args:
        pictures: array to check.
        image_shape: expected shape of one picture (or sequence), None for a free axis; by default
            any `(height, width, channels)` or `(time, height, width, channels)`.
        name: what the error calls them.
        noise: how far they may leave [0, 1].

    Raises:
        TypeError: for anything but an array.
        ValueError: for a wrong dtype, number of axes, size, or range; for NaN or no picture at all.

    Example:
        >>> import numpy as np
        >>> from keras_imgen.data import check_pictures
        >>> check_pictures(np.zeros((2, 28, 28, 1)))
        >>> check_pictures(np.zeros((2, 28, 28)))
        Traceback (most recent call last):
        ...
        ValueError: `pictures` must have shape (batch, height, width, channels). ...
    """
    dtype = dtype_name(pictures)
    if not hasattr(pictures, "shape") or dtype == "object":
        raise TypeError(
            f"`{name}` must be one array of shape (batch, height, width, channels). Received: a "
            f"{type(pictures).__name__}. {_as_array(pictures)}"
        )
    if dtype not in FLOATS:
        raise ValueError(
            f"`{name}` must be floating point in [0, 1]. Received: dtype={dtype}. "
            "Convert pictures of 8 bits with keras_imgen.data.to_float."
        )
    shape = tuple(pictures.shape)
    expected = (None,) * 3 if image_shape is None else tuple(image_shape)
    ranks = (4, 5) if image_shape is None else (len(expected) + 1,)
    if len(shape) not in ranks:
        axes = ("time, " if ranks == (5,) else "") + "height, width, channels"
        raise ValueError(
            f"`{name}` must have shape (batch, {axes}). Received: shape={shape}. "
            "Add the channel axis of grey pictures with `[..., None]`, the batch axis of a single "
            "one with `[None]`."
        )
    if 0 in shape:
        raise ValueError(f"`{name}` holds no picture. Received: shape={shape}.")
    if len(shape) == len(expected) + 1 and any(
        want is not None and got != want for got, want in zip(shape[1:], expected, strict=True)
    ):
        raise ValueError(
            f"`{name}` must fit the network, which works on pictures of shape {expected}. "
            f"Received: shape={shape}. Load them with the right `size` and `channels`, or build "
            "the network with image_shape=pictures.shape[1:]."
        )
    values = keras.ops.convert_to_numpy(pictures)
    low, high = float(np.min(values)), float(np.max(values))
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ValueError(
            f"`{name}` must be finite. Received: "
            f"{int(np.sum(~np.isfinite(values)))} values that are NaN or infinite. Remove those "
            "pictures: np.isfinite finds them."
        )
    if low < -noise or high > 1.0 + noise:
        raise ValueError(
            f"`{name}` must lie in [0, 1]. Received: values from {low:g} to {high:g}. Divide "
            "pictures in [0, 255] by 255; map pictures in [-1, 1] with (x + 1) / 2."
        )


def _as_array(pictures) -> str:
    """Return how to make an array of what somebody passed."""
    library = type(pictures).__module__.partition(".")[0]
    if isinstance(pictures, str | os.PathLike):
        return "Read it: keras_imgen.data.to_float(np.asarray(PIL.Image.open(path)))[None]."
    if library == "PIL":
        return "Convert it: keras_imgen.data.to_float(np.asarray(picture))[None]."
    if isinstance(pictures, PictureDataset):
        return "Take pictures out of the dataset: dataset.take(8)."
    if isinstance(pictures, keras.utils.PyDataset) or hasattr(pictures, "cardinality"):
        return "Take a batch out of the dataset: dataset[0], or next(iter(dataset))."
    if library == "torch":
        return (
            "Make it a keras.utils.PyDataset whose batches are arrays, channels last, or one array."
        )
    if isinstance(pictures, list | tuple) or getattr(pictures, "dtype", None) is not None:
        return "Stack a list of equal pictures with np.stack."
    return "Pass a NumPy array, float32 in [0, 1]."


def check_pairs(observed, clean) -> None:
    """Raise unless each observed picture has a clean one of its size; channels may differ.

    Args:
        observed: array, or list of pictures.
        clean: array, or list of pictures.

    Raises:
        ValueError: with what was received.
    """
    arrays = hasattr(observed, "shape") and hasattr(clean, "shape")
    if len(observed) != len(clean):
        sizes = f"{len(observed):,} observed pictures and {len(clean):,} clean ones"
    elif arrays:
        same = tuple(observed.shape[:-1]) == tuple(clean.shape[:-1])
        sizes = "" if same else f"shapes {tuple(observed.shape)} and {tuple(clean.shape)}"
    else:
        shapes = zip(shapes_of(observed), shapes_of(clean), strict=True)
        differing = (
            f"shapes {a} and {b}, pair {i}" for i, (a, b) in enumerate(shapes) if a[:-1] != b[:-1]
        )
        sizes = next(differing, "")
    if sizes:
        raise ValueError(
            "Each observed picture must have a clean one of its size. Received: "
            f"{sizes}. Put them in the same order, and bring both to one size."
        )


class PictureDataset(keras.utils.PyDataset):
    """Batches of clean pictures in an order that is a function of `(seed, epoch)`.

    Made by `load`, `load_folder`, `load_arrays` and `load_moving_digits`; goes into `fit`,
    `evaluate` and `validation_data`. A resumed training sees the order that the uninterrupted one
    would have seen, because `fit` sets `epoch`.

    With `observed` it holds pairs, for a `Restorer` without a degradation: what was seen of each
    picture, cut out at the same place.

    Args:
        pictures: uint8 pictures (0 to 255) or float32 ones in [0, 1]: one array `(N, H, W, C)` or
            `(N, T, H, W, C)`, or a list of arrays `(H, W, C)` of different sizes; or what is read
            when it is needed.
        labels: one integer per picture, or None. With labels, batches are `(pictures, labels)`.
        observed: of pairs, what is to be restored, in the same order; as many channels as there
            are. Batches are then `(observed, pictures)`.
        batch_size: pictures per batch.
        crop_size: `(height, width)` of random crops, or None for whole pictures.
        crops: how many crops of each picture make an epoch.
        shuffle: True for training: a new order and new crops in every epoch, and an incomplete last
            batch is left out. False: always the same order and crops, and nothing is left out.
        seed: integer that fixes order, crops and what is drawn.
        class_names: what the labels 0, 1, ... stand for, or None.
        binarize: None; `"static"`, to draw each pixel black or white, once; or `"dynamic"`, to draw
            it anew in every epoch: the two protocols in which likelihoods of digits are published.
            Without `shuffle` both draw once, for a test must not change.

    Attributes:
        pictures: the pictures as given, whole.
        labels: as given.
        observed: as given.
        class_names: as given.
        image_shape: shape of one picture (or sequence) as batches hold it.
        num_pictures: how many pictures (or crops) an epoch has.
        epoch: the epoch whose order is served.

    Example:
        >>> from keras_imgen import load
        >>> digits = load("digits", batch_size=100)
        >>> len(digits), digits.num_pictures, digits.take(3).shape
        (40, 4000, (3, 28, 28, 1))
    """

    def __init__(
        self,
        pictures,
        labels=None,
        *,
        observed=None,
        batch_size: int = 32,
        crop_size: tuple[int, int] | None = None,
        crops: int = 1,
        shuffle: bool = True,
        seed: int = 0,
        class_names: list[str] | None = None,
        binarize: str | None = None,
    ):
        super().__init__()
        if not len(pictures):
            raise ValueError("`pictures` holds no picture. Received: none at all.")
        self.pictures = pictures
        self.labels = None if labels is None else checks.labels(labels, len(pictures))
        if observed is not None:
            if labels is not None:
                raise ValueError(
                    "Batches are pictures with labels, or pairs. Received: both `labels` and "
                    "`observed`. Leave out one of them."
                )
            check_pairs(observed, pictures)
        if binarize not in (None, "static", "dynamic"):
            raise ValueError(
                '`binarize` must be None, "static" or "dynamic". Received: '
                f"binarize={checks.shown(binarize)}."
            )
        if binarize and observed is not None:
            raise ValueError(
                "Pairs are learned as they are. Received: `binarize` and `observed`. Leave out one "
                "of them."
            )
        self.binarize = binarize
        if binarize == "static" or (binarize and not shuffle):
            self.pictures = _drawn_once(pictures, checks.seed(seed))
        self.observed = observed
        self.batch_size = whole_number("batch_size", batch_size, 1)
        self.crop_size = crop_size
        self.crops = crops
        self.shuffle = shuffle
        self.seed = checks.seed(seed)
        self.class_names = class_names
        self.epoch = 0
        self.num_pictures = len(pictures) * crops
        first = pictures[0].shape
        self.image_shape = first if crop_size is None else (*crop_size, first[-1])
        self._order = (None, None)

    def __len__(self):
        full, rest = divmod(self.num_pictures, self.batch_size)
        keep_rest = rest and (not self.shuffle or not full)
        return full + bool(keep_rest)

    def __getitem__(self, index):
        return self.rows(index, 0, 1)

    def rows(self, index: int, rank: int, count: int) -> tuple[np.ndarray, ...]:
        """Return what one of several processes takes of a batch, without reading the others' rows.

        Args:
            index: number of the batch.
            rank: number of the process, from 0.
            count: how many processes take equally many rows; a remainder nobody takes.
        """
        if self._draws_anew and count > 1:  # from one row of random numbers for all
            return tuple(share_of(part, rank, count) for part in self[index])
        size, order = self.batch_size, self._indices()
        chosen, following = (
            share_of(order[start : start + size], rank, count)
            for start in (index * size, (index + 1) * size)
        )
        for pictures in (self.pictures, self.observed):
            if isinstance(pictures, StreamedPictures):
                pictures.soon(np.concatenate([chosen, following]) // self.crops)
        batch = self._batch(self.pictures, chosen)
        if self._draws_anew:
            batch = to_float(binarized(batch, (self.seed, self.epoch, index)))
        if self.observed is not None:
            return self._batch(self.observed, chosen), batch
        return (batch,) if self.labels is None else (batch, self.labels[chosen // self.crops])

    def take(self, count: int) -> np.ndarray:
        """Return the first `count` pictures in the order of the files, as batches hold them.

        The same ones every time: what callbacks want to show. Of crops, the first of every picture
        comes before the second of any.
        """
        batch = self._batch(self.pictures, self._first(count), fixed=True)
        return to_float(binarized(batch, self.seed)) if self._draws_anew else batch

    def take_observed(self, count: int) -> np.ndarray:
        """Return what was observed of the pictures that `take` returns."""
        if self.observed is None:
            raise ValueError(
                "Pairs have observed pictures. Received: a dataset of clean pictures alone. Make "
                "it with `observed=`."
            )
        return self._batch(self.observed, self._first(count), fixed=True)

    def on_epoch_end(self):
        """Move on to the next epoch's order, for models that do not set `epoch` themselves."""
        self.epoch += 1

    @property
    def options(self) -> dict:
        """What this was made with beside pictures, labels and observed ones."""
        names = ("batch_size", "crop_size", "crops", "shuffle", "seed", "class_names", "binarize")
        return {name: getattr(self, name) for name in names}

    @property
    def _draws_anew(self):
        return self.binarize == "dynamic" and self.shuffle

    def _indices(self):
        epoch = self.epoch if self.shuffle else 0
        if self._order[0] != epoch:
            order = np.arange(self.num_pictures)
            if self.shuffle:
                rng = np.random.default_rng((self.seed, epoch))
                parts = self._parts(rng)
                for part in parts:
                    rng.shuffle(part)
                order = np.concatenate(parts)
            self._order = (epoch, order)
        return self._order[1]

    def _parts(self, rng):
        """Return the parts of an epoch that are shuffled one by one; in memory there is but one.

        Of files, all crops of a picture lie in one part, so that it is read once.
        """
        if self.crops == 1 or not isinstance(self.pictures, StreamedPictures):
            return [np.arange(self.num_pictures)]
        windows = self.pictures.windows(np.arange(len(self.pictures)))
        if len(windows) > 1:
            windows = self.pictures.windows(rng.permutation(len(self.pictures)))
        return [(each[:, None] * self.crops + np.arange(self.crops)).ravel() for each in windows]

    def _first(self, count):
        count = whole_number("count", count, 1)
        order = np.arange(self.num_pictures).reshape(-1, self.crops).T.ravel()
        return order[:count]

    def _batch(self, pictures, chosen, fixed=False) -> np.ndarray:
        if self.crop_size is None:
            if isinstance(pictures, np.ndarray):
                batch = pictures[chosen]
            else:
                batch = np.stack([pictures[i] for i in chosen])
        else:
            epoch = 0 if fixed or not self.shuffle else self.epoch
            batch = np.stack([self._crop(pictures, int(i), epoch) for i in chosen])
        return to_float(batch) if batch.dtype == np.uint8 else batch

    def _crop(self, pictures, index, epoch):
        picture = pictures[index // self.crops]
        # A function of the place in the data: both pictures of a pair are cut at the same place.
        rng = np.random.default_rng((self.seed, epoch, index))
        height, width = self.crop_size
        top = rng.integers(picture.shape[0] - height + 1)
        left = rng.integers(picture.shape[1] - width + 1)
        return picture[top : top + height, left : left + width]


def share_of(rows, rank: int, count: int):
    """Return the rows that one of `count` processes takes, all of them equally many."""
    share = len(rows) // count
    return rows[rank * share : (rank + 1) * share]


def _drawn_once(pictures, seed):
    if isinstance(pictures, StreamedPictures):
        raise ValueError(
            "Black and white pictures that are drawn once are kept in memory. Received: "
            "`binarize` for pictures that stay in their files. Leave out `stream`, or `binarize`."
        )
    if isinstance(pictures, np.ndarray):
        return binarized(pictures, seed)
    return [binarized(picture, (seed, i)) for i, picture in enumerate(pictures)]
