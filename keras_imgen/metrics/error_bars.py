"""`ErrorBars`: from how far answers differ to how far they may be wrong."""

import math

import numpy as np

from keras_imgen.checks import FAINTEST, number
from keras_imgen.metrics.restored import check_format

__all__ = ["ErrorBars"]


class ErrorBars:
    """Says how far restored pixels may be wrong, from how far several answers differ.

    Several answers to one question (in eight positions, `Restorer.restore(..., return_std=True)`,
    or drawn, `Diffusion.undo`) differ where a model is unsure, but by less than it errs: answers
    err together. So the differences are scaled, until on pictures whose truth is known so many
    errors lie within them as is asked for. That holds on average for pictures of the same kind,
    degraded in the same way, and not for every single one.

    Args:
        coverage: share of pixel values whose error shall lie within, 0.5 to 0.99.

    Attributes:
        scale: how many standard deviations the bars are long; None before `fit`.

    Raises:
        ValueError: if the coverage is none.

    Source: Angelopoulos et al. 2022 (arXiv 2202.05265), section 2, with the quantile of split
        conformal prediction for all pixels together.

    Example:
        >>> import numpy as np
        >>> from keras_imgen.metrics import ErrorBars
        >>> rng = np.random.default_rng(0)
        >>> std = rng.uniform(0.01, 0.1, (10, 32, 32, 1))
        >>> clean = np.full(std.shape, 0.5)
        >>> restored = clean + 3.0 * std * rng.standard_normal(std.shape)  # 3 times as wrong
        >>> bars = ErrorBars(0.9).fit(clean, restored, std)
        >>> 4.7 < bars.scale < 5.1  # 1.64 standard deviations of what is normal hold nine tenths
        True
    """

    def __init__(self, coverage: float = 0.9):
        advice = "It is the share of pixels whose error the bars hold. Usual: 0.9."
        self.coverage = number("coverage", coverage, 0.5, 0.99, advice)
        self.scale = None

    def fit(self, clean, restored, std, where=None):
        """Choose the scale on pictures whose truth is known, and return these error bars.

        Args:
            clean: float array, the truth.
            restored: the answers, the same shape.
            std: by how much they differ, one standard deviation, the same shape.
            where: 1 for the pixels that count, such as those in holes, and 0 for others; anything
                that broadcasts to that shape. By default all count.

        Raises:
            ValueError: if shapes differ, or too few pixels count for the coverage.
        """
        clean, restored, std, where = _alike(clean, restored, std, where)
        ratios = (np.abs(clean - restored) / _least(std))[where]
        rank = math.ceil(round((ratios.size + 1) * self.coverage, 9))
        if rank > ratios.size:
            least = math.ceil(round(self.coverage / (1.0 - self.coverage), 9))
            raise ValueError(
                f"To cover {self.coverage:.0%} takes at least {least} pixel values. Received: "
                f"{ratios.size}. Pass more pictures, or a `where` that holds more."
            )
        self.scale = float(np.partition(ratios, rank - 1)[rank - 1])
        return self

    def __call__(self, std):
        """Return how far each pixel value may be wrong, in both directions, from its `std`.

        Raises:
            ValueError: before `fit`, and for what are no standard deviations.
        """
        if self.scale is None:
            raise ValueError(
                "These error bars have no scale yet. Call `fit` with pictures whose truth is known."
            )
        return self.scale * _least(_checked_std(np.asarray(std)))

    def __repr__(self):
        """Say what was asked for, and what was found."""
        scale = "not fitted" if self.scale is None else f"{self.scale:.3g} standard deviations"
        return f"ErrorBars(coverage={self.coverage:g}): {scale}"

    def covered(self, clean, restored, std, where=None) -> float:
        """Return the share of pixel values whose error lies within the bars.

        Args:
            clean: as in `fit`: pictures that it has not seen.
            restored: as in `fit`.
            std: as in `fit`.
            where: as in `fit`.
        """
        clean, restored, std, where = _alike(clean, restored, std, where)
        return float(np.mean((np.abs(clean - restored) <= self(std))[where]))


def _least(std):
    return np.hypot(std, FAINTEST)


def _checked_std(std):
    if not (np.isfinite(std).all() and np.all(std >= 0.0)):
        raise ValueError(
            "`std` must be standard deviations of answers, finite and not below 0. Received: "
            f"from {np.min(std):g} to {np.max(std):g}."
        )
    return std


def _alike(clean, restored, std, where):
    """Return three arrays and which of their values count, or raise."""
    check_format(clean, restored)
    clean, restored, std = (np.asarray(x).astype("float64") for x in (clean, restored, std))
    if std.shape != clean.shape:
        raise ValueError(f"`std` must be of shape {clean.shape}. Received: shape={std.shape}.")
    _checked_std(std)
    if not (np.isfinite(clean).all() and np.isfinite(restored).all()):
        raise ValueError("`clean` and `restored` must be finite. Received: NaN or infinite values.")
    if clean.min() < 0.0 or clean.max() > 1.0:
        raise ValueError(
            f"`clean` must be pictures in [0, 1]. Received: from {clean.min():g} to "
            f"{clean.max():g}. Divide pictures in [0, 255] by 255."
        )
    if where is None:
        return clean, restored, std, np.ones(clean.shape, bool)
    where = np.asarray(where)
    try:
        where = np.broadcast_to(where != 0, clean.shape)
    except ValueError:
        raise ValueError(
            f"`where` must broadcast to {clean.shape}. Received: shape={where.shape}."
        ) from None
    if not where.any():
        raise ValueError("`where` must be 1 for some pixels. Received: none.")
    return clean, restored, std, where
