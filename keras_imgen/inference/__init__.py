"""What is done to arrays of any number and size: in batches, in tiles, in all positions."""

from keras_imgen.inference.chunks import in_batches
from keras_imgen.inference.derived import UnknownLayerError, View, derived
from keras_imgen.inference.ensembles import mean_of_positions
from keras_imgen.inference.exporting import export
from keras_imgen.inference.measured import measured
from keras_imgen.inference.priors import FAINTEST, undone
from keras_imgen.inference.sampling import followed
from keras_imgen.inference.tiles import Tile, in_tiles, tiles
from keras_imgen.inference.views import view_of

__all__ = [
    "FAINTEST",
    "Tile",
    "UnknownLayerError",
    "View",
    "derived",
    "export",
    "followed",
    "in_batches",
    "in_tiles",
    "mean_of_positions",
    "measured",
    "tiles",
    "undone",
    "view_of",
]
