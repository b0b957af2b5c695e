"""What every model shares, so that its data are checked and it saves, resumes and is sampled."""

from keras_imgen.training.model import LatentModel, PictureModel, in_batches
from keras_imgen.training.parts import (
    check_last_activation,
    check_network,
    has_batch_norm,
    prepare_optimizer,
)
from keras_imgen.training.pictures import more_than_one, pictures_of
from keras_imgen.training.resume import Resume
from keras_imgen.training.rollback import Rollback, check_finite

__all__ = [
    "LatentModel",
    "PictureModel",
    "Resume",
    "Rollback",
    "check_finite",
    "check_last_activation",
    "check_network",
    "has_batch_norm",
    "in_batches",
    "more_than_one",
    "pictures_of",
    "prepare_optimizer",
]
