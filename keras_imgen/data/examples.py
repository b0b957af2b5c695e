"""`load_example`: one picture of a field of application."""

import numpy as np

from keras_imgen.checks import one_of
from keras_imgen.data.levels import to_float
from keras_imgen.data.photos import read_picture
from keras_imgen.data.sources import ASSETS

# What each shows, and who made it, stands in assets/LICENSES.md.
FILES = {
    "coffee": "coffee.png",
    "coins": "coins.png",
    "lesions": "lesions.png",
    "mountains": "mountains.png",
    "tower": "tower.jpg",
}


def load_example(name: str) -> np.ndarray:
    """Return one picture that comes with the package, whole, to restore or to degrade.

    None of them is in `load("photos", "train")`, and no network of this package was trained on one.
    A smaller copy of `"coffee"` is in `load("photos", "test")`.

    Args:
        name: `"coffee"`, a cup on a table, 400 x 600 in colour; `"coins"`, Greek coins from
            Pompeii, 303 x 384 grey; `"lesions"`, a detail of a retina with microaneurysms, 102 x
            102 grey; `"mountains"`, the Rocky Mountains from Landsat 8, 352 x 464 in colour;
            `"tower"`, the Tower of Buddhist Incense in Beijing, 427 x 640 in colour.

    Returns:
        float32 array in [0, 1], shape `(height, width, channels)`.

    Raises:
        ValueError: for another name.

    Source: `keras_imgen/assets/LICENSES.md` names author and licence of each.

    Example:
        >>> from keras_imgen import load_example
        >>> load_example("coins").shape
        (303, 384, 1)
    """
    one_of("name", name, FILES)
    return to_float(read_picture(ASSETS / "examples" / FILES[name]))
