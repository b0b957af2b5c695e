"""Makes the tiny files of the present format, which later versions must be able to load.

`python tests/files/make_files.py` writes `tests/files/format_<number>/`: once for each number,
before the first release that has it. The files of a released format are never made anew.
"""

import sys
from pathlib import Path

import keras
import numpy as np

from keras_imgen.training.stored import FORMAT

sys.path.insert(0, str(Path(__file__).parents[1]))
from tiny_models import FAMILIES, SHAPE


def state(model) -> np.ndarray:
    """Return number, sum and sum of squares of all weights and moments."""
    variables = (*model.weights, *model.optimizer.variables)
    values = [keras.ops.convert_to_numpy(v).astype("float64").ravel() for v in variables]
    values = np.concatenate(values)
    return np.array([len(values), values.sum(), np.square(values).sum()])


def pictures(family) -> np.ndarray:
    """Return the pictures that a family was trained on."""
    shape = (3, *SHAPE) if family == "sequence" else SHAPE
    return np.random.default_rng(0).random((8, *shape), "float32")


def answer(model, family) -> np.ndarray:
    """Return what a model answers: two samples, or two of its pictures restored."""
    if hasattr(model, "sample"):
        return model.sample(2, seed=0)
    return model.restore(model.degradation(pictures(family)[:2], training=False))


def main():
    """Train each family for an epoch and write its file, with what it answered."""
    folder = Path(__file__).parent / f"format_{FORMAT}"
    folder.mkdir()
    keras.utils.set_random_seed(0)
    for family, build in FAMILIES.items():
        model = build()
        model.fit(pictures(family), batch_size=4, epochs=1, verbose=0)
        model.save(folder / f"{family}.keras")
        expected = {"state": state(model), "answer": answer(model, family)}
        np.savez_compressed(folder / f"{family}.npz", **expected)


if __name__ == "__main__":
    main()
