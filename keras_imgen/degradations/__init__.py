"""Degradations: Keras layers from clean pictures to degraded ones, for networks to learn to undo.

A degradation maps clean pictures to observed ones, for any number of leading axes: `(H, W, C)`,
`(N, H, W, C)` and sequences `(N, T, H, W, C)`. With `training=True` every call draws anew;
otherwise the draw is fixed by the seed, so that validation curves compare. At strength 0 a
degradation is the identity. What a network is conditioned on is appended behind the picture's
own channels: degradations that hide pixels append a mask (1 where known, 0 where hidden), the
others, with `append_level=True`, their strength. `observed[..., :C]` is the picture to show.
"""

from keras_imgen.degradations.base import Degradation, Operator, WithMask, WithStrength
from keras_imgen.degradations.blurs import Blur, Downsample, MotionBlur
from keras_imgen.degradations.combined import Compose, OneOf
from keras_imgen.degradations.holes import MissingBlocks, MissingPixels
from keras_imgen.degradations.jpeg import JpegCompression
from keras_imgen.degradations.mosaics import Mosaic
from keras_imgen.degradations.noise import AdditiveNoise, PoissonNoise, SaltAndPepper
from keras_imgen.degradations.over_time import Flicker, MissingFrames, Persistent, Scratches
from keras_imgen.degradations.strokes import FreeFormHoles, TextOverlay

__all__ = [
    "AdditiveNoise",
    "Blur",
    "Compose",
    "Degradation",
    "Downsample",
    "Flicker",
    "FreeFormHoles",
    "JpegCompression",
    "MissingBlocks",
    "MissingFrames",
    "MissingPixels",
    "Mosaic",
    "MotionBlur",
    "OneOf",
    "Operator",
    "Persistent",
    "PoissonNoise",
    "SaltAndPepper",
    "Scratches",
    "TextOverlay",
    "WithMask",
    "WithStrength",
]
