"""What every model shares, so that its data are checked and it saves, resumes and is sampled."""

from keras_imgen.training.architectures import (
    by_batch,
    check_last_activation,
    check_network,
    has_batch_norm,
    network_inputs,
    with_labels,
)
from keras_imgen.training.autoencoder import Autoencoder
from keras_imgen.training.averages import average_of, checked_momentum, follow
from keras_imgen.training.batches import Batch, pictures_in, step_batch
from keras_imgen.training.guard import check_finite
from keras_imgen.training.latent import LatentModel, Sampler
from keras_imgen.training.model import PictureModel
from keras_imgen.training.players import (
    TwoPlayers,
    check_pair,
    check_slope,
    checked_augmentation,
    one_each,
    total,
    weighed,
)

__all__ = [
    "Autoencoder",
    "Batch",
    "LatentModel",
    "PictureModel",
    "Sampler",
    "TwoPlayers",
    "average_of",
    "by_batch",
    "check_finite",
    "check_last_activation",
    "check_network",
    "check_pair",
    "check_slope",
    "checked_augmentation",
    "checked_momentum",
    "follow",
    "has_batch_norm",
    "network_inputs",
    "one_each",
    "pictures_in",
    "step_batch",
    "total",
    "weighed",
    "with_labels",
]
