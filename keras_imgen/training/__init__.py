"""What every model shares, so that its data are checked and it saves, resumes and is sampled."""

from keras_imgen.training.exporting import export
from keras_imgen.training.labels import label_rows, network_inputs, with_labels
from keras_imgen.training.latent import LatentModel, in_batches
from keras_imgen.training.model import PictureModel
from keras_imgen.training.parts import (
    by_batch,
    check_last_activation,
    check_network,
    has_batch_norm,
    prepare_optimizer,
)
from keras_imgen.training.pictures import more_than_one, pictures_of
from keras_imgen.training.players import TwoPlayers, check_pair, checked_augmentation
from keras_imgen.training.resume import Resume
from keras_imgen.training.rollback import Rollback, check_finite

__all__ = [
    "LatentModel",
    "PictureModel",
    "Resume",
    "Rollback",
    "TwoPlayers",
    "by_batch",
    "check_finite",
    "check_last_activation",
    "check_network",
    "check_pair",
    "checked_augmentation",
    "export",
    "has_batch_norm",
    "in_batches",
    "label_rows",
    "more_than_one",
    "network_inputs",
    "pictures_of",
    "prepare_optimizer",
    "with_labels",
]
