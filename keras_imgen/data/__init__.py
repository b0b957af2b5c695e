"""Clean pictures, float32 in [0, 1], from the embedded sets, TFDS, a folder or arrays.

The `load` functions return a `PictureDataset`, which goes straight into `fit`, and `load_example`
one picture.
"""

from keras_imgen.data.dataset import PictureDataset, check_pictures
from keras_imgen.data.examples import load_example
from keras_imgen.data.film import Film
from keras_imgen.data.levels import binarized, to_float, to_uint8
from keras_imgen.data.loading import (
    load,
    load_arrays,
    load_folder,
    load_sequences,
)
from keras_imgen.data.moving import load_moving_digits
from keras_imgen.data.panning import load_moving_photos

__all__ = [
    "Film",
    "PictureDataset",
    "binarized",
    "check_pictures",
    "load",
    "load_arrays",
    "load_example",
    "load_folder",
    "load_moving_digits",
    "load_moving_photos",
    "load_sequences",
    "to_float",
    "to_uint8",
]
