"""The formulas that the models minimise: functions of tensors that never see a model."""

from keras_imgen.losses.adversarial import (
    ADVERSARIAL,
    AdversarialLoss,
    Hinge,
    LeastSquares,
    NonSaturating,
    Relativistic,
    Wasserstein,
)
from keras_imgen.losses.errors import Charbonnier, StructuralL1
from keras_imgen.losses.likelihoods import (
    LIKELIHOODS,
    Bernoulli,
    ContinuousBernoulli,
    Gaussian,
    Likelihood,
    bernoulli_nll,
    gaussian_nll,
    kl_divergence,
    kl_of_latents,
    log_normal,
)
from keras_imgen.losses.penalties import PENALTIES, R1, R1R2, R2, GradientPenalty, Penalty

__all__ = [
    "ADVERSARIAL",
    "LIKELIHOODS",
    "PENALTIES",
    "R1",
    "R1R2",
    "R2",
    "AdversarialLoss",
    "Bernoulli",
    "Charbonnier",
    "ContinuousBernoulli",
    "Gaussian",
    "GradientPenalty",
    "Hinge",
    "LeastSquares",
    "Likelihood",
    "NonSaturating",
    "Penalty",
    "Relativistic",
    "StructuralL1",
    "Wasserstein",
    "bernoulli_nll",
    "gaussian_nll",
    "kl_divergence",
    "kl_of_latents",
    "log_normal",
]
