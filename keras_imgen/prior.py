"""`Prior`: what a denoiser is good for as a part of something else."""

import math
import warnings

import keras
from keras import ops

from keras_imgen.checks import FAINTEST, flag, whole_number
from keras_imgen.data import check_pictures
from keras_imgen.degradations import Degradation
from keras_imgen.inference import over_positions, undone, with_known
from keras_imgen.matching import check_undoes, to_undo, with_level

TILE = 1024  # pixels a side


class Prior:
    """Part of `Restorer`: a denoiser knows what pictures look like."""

    def denoise(self, x, level=None):
        """Return the denoised pictures as they come out of the network: the bare denoiser.

        For those who use a denoiser as a part, as a prior or to draw pictures: tensors in and out,
        not clipped, of any range, and slopes go through. `restore` is for pictures.

        Args:
            x: float tensor or array, shape `(n, [time,] height, width, channels)`, without the
                level channel.
            level: of a model conditioned on the strength of the degradation, that strength: a
                number or one for each picture, shape `(n,)`; by default the model sees for itself.

        Returns:
            float32 tensor, same shape.

        Raises:
            TypeError: if `x` is not floating-point.
            ValueError: if the model fills holes or learns from pairs with more channels, if the
                shape does not fit, or a level is none that the model has learned from (where
                XLA or JAX compile, the picture is then NaN).
        """
        return ops.cast(self(with_level(self, x, level), training=False), "float32")

    def undo(
        self,
        observed,
        degradation: Degradation | None = None,
        *,
        known=None,
        start=None,
        passes: int = 12,
        self_ensemble: bool = False,
        return_std: bool = False,
        tile: int | None = TILE,
        progress: bool = False,
    ):
        """Undo a known degradation that the model was not trained for: plug and play.

        A denoiser knows what pictures look like. Here it is asked again and again, each time about
        the nearest picture that, degraded, is the observed one: so one denoiser fills holes, undoes
        blur and enlarges. Holes take about as long as `passes` calls of `restore`, blur about four
        times that: each pass seeks the nearest picture step by step. It takes memory for about
        fifteen pictures.

        Args:
            observed: float array, shape `(n, height, width, channels)`, with the channels that the
                degradation appends or without. Noise may go beyond [0, 1].
            degradation: what the pictures went through, with numbers in place of ranges, such as
                `Blur(1.6)`, `MotionBlur(9, angle=30)`, `Downsample(2)`, `Mosaic()`, or several:
                `Compose([Blur(1.6), AdditiveNoise(0.01)])`. By default some pixels are missing, and
                nothing else.
            known: of missing pixels, 1 where one is known and 0 where it is missing, shape `(n,
                height, width, 1)` or anything that broadcasts to it.
            start: pictures to begin with, such as what the inpainter makes of holes; by default the
                smoothest that fit what was observed. It matters where holes are large.
            passes: how often the denoiser is asked, at least 1.
            self_ensemble: as in `restore`.
            return_std: as in `restore`.
            tile: as in `restore`.
            progress: whether to show a bar.

        Returns:
            float32 array in [0, 1], `(n, height, width, channels)`; with `return_std` two of them.

        Raises:
            TypeError, ValueError: if the model is no denoiser conditioned on a level, if the
                degradation is not linear but for its noise, or is not known.

        Warns:
            UserWarning: if an answer, degraded again, is not what was observed: then the
                degradation is another one.

        Source: Zhang et al. 2021 (arXiv 2008.13751), algorithm 1.

        Example:
            >>> import numpy as np
            >>> from keras_imgen import degradations, load, load_pretrained, metrics
            >>> clean = load("photos", "test").take(1)[:, :64, :64]
            >>> blurred = np.asarray(degradations.Blur(1.2)(clean))
            >>> sharp = load_pretrained("denoiser-gray").undo(blurred, degradations.Blur(1.2))
            >>> bool(np.all(metrics.psnr(clean, sharp) > metrics.psnr(clean, blurred) + 3.0))
            True
        """
        flag("self_ensemble", self_ensemble)
        flag("return_std", return_std)
        flag("progress", progress)
        passes = whole_number("passes", passes, 1, "It is how often the denoiser is asked.")
        check_undoes(self)
        observed, operator = to_undo(self.image_shape, observed, degradation, known)
        if start is not None:
            if tuple(shape := getattr(start, "shape", observed.shape)) != tuple(observed.shape):
                raise ValueError(
                    "`start` must be pictures as large and as many as `observed`, of shape "
                    f"{tuple(observed.shape)}. Received: {tuple(shape)}."
                )
            check_pictures(start, observed.shape[1:], "start")
        height, width = self.image_shape[:2]
        square, several = height == width, self_ensemble or return_std
        asked = passes * ((8 if square else 4) if several else 1)
        bar = keras.utils.Progbar(asked, unit_name="pass") if progress else None
        rests = []

        def denoise(pictures, level):
            restored = self.restore(pictures, level=level, tile=tile)
            if bar is not None:
                bar.add(1)
            return restored

        def answer(turn, back):
            turned = operator._replace(forward=lambda x: turn(operator.forward(back(x))))
            seen, begin = (
                x if x is None else ops.convert_to_numpy(turn(x)) for x in (observed, start)
            )
            found, rest = undone(denoise, turned, seen, begin, passes, self.degradation.range)
            rests.append(float(rest.max()))
            return with_known(ops.convert_to_numpy(back(found)), observed, operator)

        if several:
            mean, std = over_positions(answer, observed.ndim, square)
        else:
            mean, std = answer(lambda x: x, lambda x: x), None
        _warn_of(max(rests), operator)
        return (mean, std) if return_std else mean


def _warn_of(rest, operator):
    """Warn if an answer, degraded again, is not what was observed."""
    expected = math.hypot(operator.sigma, FAINTEST)
    if rest > 3.0 * expected:
        warnings.warn(
            "An answer, degraded again, differs from what was observed by "
            f"{255 * rest:.1f} grey levels, where noise explains {255 * expected:.1f}. Is "
            "the degradation another one, or the noise stronger? Say how strong it is: "
            "Compose([..., AdditiveNoise(sigma)]), or --sigma on the command line.",
            stacklevel=3,
        )
