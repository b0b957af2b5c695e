"""`Seal`: what proves, when a model is loaded, that it is bit for bit the one that was saved."""

import hashlib
from collections.abc import Callable

import keras
import numpy as np
from keras import ops


class Seal(keras.layers.Layer):
    """Saves a digest of a model's variables, and compares it with what has been loaded.

    Keras leaves out silently, or with a mere warning, what does not fit: an optimizer of another
    kind, weights of another architecture. And it does not notice a flipped bit.

    Args:
        groups: function that returns `{what: variables}` of the model.
    """

    def __init__(self, groups: Callable[[], dict]):
        super().__init__(name="seal")  # always the same: it is written into the file
        self._groups = groups

    def save_own_variables(self, store):
        """Store the digest of each group."""
        for what, variables in self._groups().items():
            store[what] = digest(variables)

    def load_own_variables(self, store):
        """Raise unless what has been loaded into the model is what was saved."""
        stored = set(store.keys())  # none in files of format 0
        for what, variables in self._groups().items():
            # A model that is loaded without compiling has no optimizer to compare.
            if what in stored and variables and not np.array_equal(store[what], digest(variables)):
                raise ValueError(
                    f"The {what} in the file are damaged or those of another model. Load the whole "
                    "model with keras_imgen.load_model(path), which says more."
                )


def digest(variables) -> np.ndarray:
    """Return 32 bytes that are others if any value of the variables is another."""
    found = hashlib.sha256()
    for variable in variables:
        # Backends differ in the types of integers; every value fits into this one.
        found.update(ops.convert_to_numpy(variable).astype("float64").tobytes())
    return np.frombuffer(found.digest(), "uint8")
