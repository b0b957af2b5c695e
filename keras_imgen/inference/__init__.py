"""What is done to arrays of any number and size: in batches, in tiles, in all positions."""

from keras_imgen.inference.chunks import in_batches
from keras_imgen.inference.derived import UnknownLayerError, View, derived
from keras_imgen.inference.ensembles import over_positions
from keras_imgen.inference.exporting import export
from keras_imgen.inference.importance import mean_of_samples
from keras_imgen.inference.measured import measured
from keras_imgen.inference.parts import directions, in_parts, readings_in_parts, step_of
from keras_imgen.inference.priors import adjoint, nearest_fit, undone, with_known
from keras_imgen.inference.sampling import followed, followed_to_fit, guided
from keras_imgen.inference.tiles import Tile, in_tiles, tiles
from keras_imgen.inference.views import view_of
from keras_imgen.inference.walks import on_arc, on_line

__all__ = [
    "Tile",
    "UnknownLayerError",
    "View",
    "adjoint",
    "derived",
    "directions",
    "export",
    "followed",
    "followed_to_fit",
    "guided",
    "in_batches",
    "in_parts",
    "in_tiles",
    "mean_of_samples",
    "measured",
    "nearest_fit",
    "on_arc",
    "on_line",
    "over_positions",
    "readings_in_parts",
    "step_of",
    "tiles",
    "undone",
    "view_of",
    "with_known",
]
