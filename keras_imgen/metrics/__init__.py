"""How good pictures are: restored ones against their originals, made ones against real ones."""

from keras_imgen.metrics.comparisons import FrechetDistance, KernelDistance, PrecisionRecall
from keras_imgen.metrics.distributions import (
    frechet_distance,
    kernel_distance,
    precision_recall,
)
from keras_imgen.metrics.error_bars import ErrorBars
from keras_imgen.metrics.features import DigitFeatures, Features, InceptionFeatures
from keras_imgen.metrics.neighbors import Memorization, memorization, nearest
from keras_imgen.metrics.restored import PSNR, SSIM, psnr, ssim

__all__ = [
    "PSNR",
    "SSIM",
    "DigitFeatures",
    "ErrorBars",
    "Features",
    "FrechetDistance",
    "InceptionFeatures",
    "KernelDistance",
    "Memorization",
    "PrecisionRecall",
    "frechet_distance",
    "kernel_distance",
    "memorization",
    "nearest",
    "precision_recall",
    "psnr",
    "ssim",
]
