"""Comparisons of made pictures with real ones, each by a fixed protocol that its result states."""

from dataclasses import dataclass

import keras
import numpy as np

from keras_imgen import checks
from keras_imgen.checks import shown, whole_number
from keras_imgen.data import PictureDataset, check_pictures
from keras_imgen.metrics import distributions
from keras_imgen.metrics.features import DigitFeatures


@dataclass(frozen=True, kw_only=True)
class Result:
    """What was compared, and how; subclasses add what came out.

    Attributes:
        num_samples: how many pictures were made.
        num_real: how many real ones they were compared with.
        extractor: name of the features.
        num_features: how many features a picture has.
        resize: `(height, width)` to which all pictures were resized, or None.
    """

    num_samples: int
    num_real: int
    extractor: str
    num_features: int
    resize: tuple[int, int] | None

    def _protocol(self):
        resized = "no" if self.resize is None else "to {} x {}".format(*self.resize)
        return (
            f"{self.num_samples:,} samples against {self.num_real:,} real pictures; "
            f"features: {self.extractor}, {self.num_features:,}; resized: {resized}"
        )


@dataclass(frozen=True, kw_only=True)
class _Distance(Result):
    """A distance: `float(result)` and `f"{result:.1f}"` give it, `str` a sentence."""

    value: float

    def __float__(self):
        return self.value

    def __format__(self, spec):
        return format(self.value, spec) if spec else str(self)


@dataclass(frozen=True, kw_only=True)
class FrechetResult(_Distance):
    """A Fréchet distance; `float` gives it, `str` a sentence.

    Attributes:
        value: the distance, 0 or more.
    """

    def __str__(self):
        return f"Fréchet distance {self.value:.4g} ({self._protocol()})"


@dataclass(frozen=True, kw_only=True)
class KernelResult(_Distance):
    """A kernel distance; `float` gives it, `str` a sentence.

    Attributes:
        value: the distance, without bias, so that it may be a little below 0.
        standard_error: how far the value would vary with other real and made pictures.
        subset_size: pictures of each kind in a subset.
    """

    standard_error: float
    subset_size: int

    def __str__(self):
        return (
            f"Kernel distance {self.value:.4g}, standard error {self.standard_error:.2g} "
            f"({self._protocol()}; subsets of {self.subset_size:,})"
        )


@dataclass(frozen=True, kw_only=True)
class PrecisionRecallResult(Result):
    """Precision and recall; `str` gives a sentence.

    Attributes:
        precision: share of made pictures among real ones, in [0, 1].
        recall: share of real pictures among made ones, in [0, 1].
        neighbors: which neighbor a ball reaches to.
    """

    precision: float
    recall: float
    neighbors: int

    def __str__(self):
        return (
            f"Precision {self.precision:.3f}, recall {self.recall:.3f} "
            f"({self._protocol()}; neighbors: {self.neighbors})"
        )


class _Comparison:
    """Holds the real side of a comparison, and brings the made side into the same form."""

    def __init__(self, real, extractor):
        real = _pictures("real", real)
        self.image_shape = tuple(real.shape[1:])
        self.extractor = _extractor(extractor, self.image_shape)
        self.real_features = self._features("real", real)

    def _features(self, name, pictures):
        features = distributions.checked(f"extractor({name})", self.extractor(pictures))
        if len(features) != len(pictures):
            raise ValueError(
                "An `extractor` must return one row of features per picture. Received: "
                f"{len(features)} rows for {len(pictures)} pictures."
            )
        self._check_count(name, *features.shape)
        return features

    def _made_features(self, made):
        made = _pictures("made", made)
        if tuple(made.shape[1:]) != self.image_shape:
            raise ValueError(
                f"`made` must be pictures of the same shape as the real ones, {self.image_shape}. "
                f"Received: {tuple(made.shape[1:])}. Bring both to one size first, with the same "
                "method: what differs would be measured."
            )
        return self._features("made", made)

    def _stated(self, made_features):
        resize = getattr(self.extractor, "resize", None)
        default = getattr(self.extractor, "__name__", type(self.extractor).__name__)
        return {
            "num_samples": len(made_features),
            "num_real": len(self.real_features),
            "extractor": getattr(self.extractor, "name", default),
            "num_features": made_features.shape[1],
            "resize": None if resize == self.image_shape[:2] else resize,
        }


class FrechetDistance(_Comparison):
    """Fréchet distance of made pictures from real ones, in the features of a network.

    Calling it with made pictures, an array or a `PictureDataset`, returns a result that converts to
    `float` and prints as a sentence with all that the figure depends on. The lower the better; its
    size has a meaning only beside another figure of the same protocol, such as that of held-out
    real pictures. See `frechet_distance`.

    Args:
        real: real pictures `(number, height, width, channels)`, float in [0, 1], or a
            `PictureDataset`, of which every picture (and crop) of an epoch is taken once.
        extractor: function `pictures -> features`, by default `DigitFeatures()` for grey pictures.
            For colour pass `InceptionFeatures()`.

    Raises:
        TypeError, ValueError: for what are no pictures, pictures that do not fit the extractor, and
            fewer of either kind than twice the features, which determine no covariance.

    Example:
        >>> import numpy as np
        >>> from keras_imgen import load
        >>> from keras_imgen.metrics import FrechetDistance
        >>> distance = FrechetDistance(load("digits", "test"))
        >>> real = load("digits").take(1000)
        >>> noise = np.random.default_rng(0).random(real.shape, "float32")
        >>> result = distance(real)
        >>> float(result) < 0.1 * float(distance(noise))
        True
        >>> print(result)
        Fréchet distance ... (1,000 samples against 1,000 real pictures; features: digits, 64; ...)
    """

    def __init__(self, real, extractor=None):
        super().__init__(real, extractor)
        self._moments = distributions.moments(self.real_features)

    def __call__(self, made) -> FrechetResult:
        """Return the distance of made pictures, and what it depends on."""
        features = self._made_features(made)
        value = distributions.moments_distance(self._moments, distributions.moments(features))
        return FrechetResult(value=value, **self._stated(features))

    def _check_count(self, name, count, num_features):
        if count < 2 * num_features:
            raise ValueError(
                f"A Fréchet distance in {num_features:,} features needs at least "
                f"{2 * num_features:,} pictures of each kind, twice as many. Received: {count:,} "
                f"in `{name}`. Pass more, 10,000 if you can, or use KernelDistance, which has no "
                "bias however few they are."
            )


class KernelDistance(_Comparison):
    """Kernel distance of made pictures from real ones, in the features of a network.

    Called as `FrechetDistance`. Its value has no bias, so it serves where pictures are few, and it
    comes with a standard error. See `kernel_distance`.

    Args:
        real: as for `FrechetDistance`.
        extractor: as for `FrechetDistance`.
        subset_size: pictures of each kind in a subset, by default a tenth of the smaller set.
        seed: integer that fixes how pictures are dealt into subsets.

    Raises:
        TypeError, ValueError: for what are no pictures, pictures that do not fit the extractor, and
            fewer of either kind than two subsets.

    Example:
        >>> from keras_imgen import load
        >>> from keras_imgen.metrics import KernelDistance
        >>> distance = KernelDistance(load("digits", "test"))
        >>> result = distance(load("digits").take(1000))
        >>> abs(float(result)) < 4 * result.standard_error  # digits among digits
        True
    """

    def __init__(self, real, extractor=None, *, subset_size: int | None = None, seed: int = 0):
        self.subset_size = (
            None if subset_size is None else whole_number("subset_size", subset_size, 2)
        )
        self.seed = checks.seed(seed)
        super().__init__(real, extractor)

    def __call__(self, made) -> KernelResult:
        """Return the distance of made pictures, its standard error, and what both depend on."""
        features = self._made_features(made)
        size = distributions.size_of_subsets(
            len(self.real_features), len(features), self.subset_size
        )
        value, error = distributions.kernel_distance(
            self.real_features, features, subset_size=size, seed=self.seed
        )
        stated = {**self._stated(features), "subset_size": size}
        return KernelResult(value=value, standard_error=error, **stated)

    def _check_count(self, name, count, num_features):
        size = distributions.size_of_subsets(count, count, self.subset_size)
        if count < 2 * size:
            raise ValueError(
                f"A kernel distance needs two subsets of {size:,} pictures of each kind, "
                f"{2 * size:,} or more. Received: {count:,} in `{name}`. Pass "
                "more, or a smaller `subset_size`."
            )


class PrecisionRecall(_Comparison):
    """Precision and recall of made pictures, in the features of a network.

    Called as `FrechetDistance`. Precision falls where made pictures look like no real one, recall
    where kinds of real pictures are never made: two faults that a distance adds up. See
    `precision_recall`.

    Args:
        real: as for `FrechetDistance`.
        extractor: as for `FrechetDistance`.
        neighbors: which neighbor a ball reaches to.

    Raises:
        TypeError, ValueError: for what are no pictures, pictures that do not fit the extractor, and
            no more of either kind than `neighbors`.

    Example:
        >>> from keras_imgen import load
        >>> from keras_imgen.metrics import PrecisionRecall
        >>> digits = load("digits", labels=True)
        >>> ones = digits.take(4000)[digits.labels == 1]
        >>> result = PrecisionRecall(load("digits", "test"))(ones)
        >>> result.precision > 0.7, result.recall < 0.2  # fine, but only one of ten kinds
        (True, True)
    """

    def __init__(self, real, extractor=None, *, neighbors: int = 3):
        self.neighbors = whole_number("neighbors", neighbors, 1)
        super().__init__(real, extractor)
        self._radii = distributions.radii(self.real_features, self.neighbors)

    def __call__(self, made) -> PrecisionRecallResult:
        """Return precision and recall of made pictures, and what both depend on."""
        features = self._made_features(made)
        made_radii = distributions.radii(features, self.neighbors)
        precision, recall = distributions.coverage(
            self.real_features, features, self._radii, made_radii
        )
        stated = {**self._stated(features), "neighbors": self.neighbors}
        return PrecisionRecallResult(precision=precision, recall=recall, **stated)

    def _check_count(self, name, count, num_features):
        if count <= self.neighbors:
            raise ValueError(
                f"A neighbor number {self.neighbors} needs at least {self.neighbors + 1} "
                f"pictures of each kind. Received: {count:,} in `{name}`. Pass more: thousands "
                "give steady figures."
            )


def _pictures(name, pictures) -> np.ndarray:
    """Return pictures of an array or a dataset, or raise if they are none."""
    if isinstance(pictures, PictureDataset):
        pictures = pictures.take(pictures.num_pictures)
    check_pictures(pictures, (None, None, None), name)
    return keras.ops.convert_to_numpy(pictures)


def _extractor(extractor, image_shape):
    """Return the extractor to use on pictures of a shape, or raise if there is none."""
    if extractor is None:
        if image_shape[-1] != 1:
            raise ValueError(
                "Without an `extractor` pictures must be grey: the features that ship with the "
                f"package are those of digits. Received: pictures of shape {image_shape}. Pass "
                "extractor=InceptionFeatures(), or Features(network, name)."
            )
        return DigitFeatures()
    if not callable(extractor) or isinstance(extractor, type | keras.Model):
        raise TypeError(
            "`extractor` must be a function from pictures to features, such as DigitFeatures() or "
            f"InceptionFeatures(). Received: extractor={shown(extractor)}. A network becomes one "
            "by Features(network, name)."
        )
    return extractor
