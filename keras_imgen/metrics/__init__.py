"""How good pictures are, restored or made, and what the latents of a model say."""

from keras_imgen.metrics.comparisons import FrechetDistance, KernelDistance, PrecisionRecall
from keras_imgen.metrics.distributions import (
    frechet_distance,
    kernel_distance,
    precision_recall,
)
from keras_imgen.metrics.error_bars import ErrorBars
from keras_imgen.metrics.features import DigitFeatures, Features, InceptionFeatures
from keras_imgen.metrics.neighbors import Memorization, memorization, nearest
from keras_imgen.metrics.posteriors import LatentFigures, bits_per_dim, latent_figures
from keras_imgen.metrics.restored import PSNR, SSIM, flicker, psnr, ssim

__all__ = [
    "PSNR",
    "SSIM",
    "DigitFeatures",
    "ErrorBars",
    "Features",
    "FrechetDistance",
    "InceptionFeatures",
    "KernelDistance",
    "LatentFigures",
    "Memorization",
    "PrecisionRecall",
    "bits_per_dim",
    "flicker",
    "frechet_distance",
    "kernel_distance",
    "latent_figures",
    "memorization",
    "nearest",
    "precision_recall",
    "psnr",
    "ssim",
]
