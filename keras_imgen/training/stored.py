"""`Stored`, the part of every model that writes it into files and brings it back whole."""

import functools
import inspect
import warnings
from pathlib import Path

import keras
import numpy as np
from keras import ops

from keras_imgen import checks
from keras_imgen.degradations import Degradation
from keras_imgen.files import write_whole
from keras_imgen.losses.formula import Formula
from keras_imgen.saving import in_short
from keras_imgen.training.architectures import lambdas
from keras_imgen.training.seal import Seal

_KEPT = (keras.Layer, keras.Variable, keras.random.SeedGenerator)
_STATE = "random_state_"  # the name of each in the file begins with it


# Of the files that models are saved in; raised whenever older versions could not read them.
FORMAT = 4


class Stored(keras.Model):
    """Saves a model's own weights, and seeds and states of its random generators, beside the rest.

    Keras saves what hangs on a model's attributes, except for random states.
    """

    # How many epochs of pictures have been shown: the next one's order follows from it.
    epochs_trained = 0

    def save(self, filepath, overwrite: bool = True):
        """Save the model in a file, which is either as it was or new and whole, whatever happens.

        Args:
            filepath: the file, on this machine; its name ends in `.keras`.
            overwrite: whether a file that is there may be replaced.

        Raises:
            ValueError: if the name does not end in `.keras`.
            OSError: if the file cannot be written; nothing has changed.
        """
        checks.path("filepath", filepath)
        if "://" in str(filepath) or Path(filepath).suffix != ".keras":
            raise ValueError(
                "A model is saved in a file of this machine that ends in .keras. Received: "
                f"filepath={str(filepath)!r}."
            )
        if not overwrite and Path(filepath).exists():
            raise FileExistsError(
                f"{str(filepath)!r} exists and is not overwritten. Pass another path, or "
                "overwrite=True."
            )
        if found := lambdas(self):
            warnings.warn(
                "load_model will refuse this file, since code from a file is never run: the layer "
                f"{found[0]!r} holds a Python lambda. Write it with keras.ops, or as a registered "
                "layer; or keep the program, build the model again and call load_weights.",
                stacklevel=2,
            )
        if message := self.left_out():
            warnings.warn(message, stacklevel=2)
        with write_whole(filepath) as unfinished:
            keras.saving.save_model(self, unfinished)

    def left_out(self) -> str:
        """Return what `get_config` of the model, a degradation or a loss forgets, or nothing.

        What is forgotten is not in the file, and has its default when the model is loaded.
        """
        losses = [part for part in vars(self).values() if isinstance(part, Formula)]
        for part in (*self._seeded(), *losses):
            if type(part).from_config.__module__.partition(".")[0] not in ("keras", "keras_imgen"):
                continue  # it builds itself as it likes
            parameters = inspect.signature(type(part).__init__).parameters.values()
            kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
            arguments = [p.name for p in parameters if p.kind in kinds][1:]
            if missing := [name for name in arguments if name not in part.get_config()]:
                return (
                    f"A file would not hold `{missing[0]}` of the {type(part).__name__}, and a "
                    "model loaded from it would have another. Write a get_config that returns "
                    f"{{**super().get_config(), {missing[0]!r}: self.{missing[0]}}}."
                )
        return ""

    def load_weights(self, filepath, **kwargs):
        """Load weights, optimizers' moments and random states; as `keras.Model.load_weights`.

        Args:
            filepath: a `.weights.h5` or `.keras` file that a model of the same kind was saved in.
            **kwargs: as in Keras.

        Raises:
            ValueError: if the file is damaged or of another model, which is then left as it was.
        """
        checks.path("filepath", filepath)
        variables = [*self.variables, *self._moments()]
        before = [ops.convert_to_numpy(variable) for variable in variables]
        plain = self.epochs_trained, [(part, part.seed) for part in self._seeded()]
        try:
            with warnings.catch_warnings():
                # It leaves out what does not fit; the seal then says so.
                warnings.filterwarnings("ignore", "Skipping")
                super().load_weights(filepath, **kwargs)
        except FileNotFoundError:
            raise
        except Exception as error:
            for variable, value in zip(variables, before, strict=True):
                variable.assign(value)
            self.epochs_trained, seeds = plain
            for part, seed in seeds:
                part.seed = seed
            raise ValueError(f"{str(filepath)!r} cannot be loaded: {in_short(error)}") from error

    def save_own_variables(self, store):
        """Store the model's own weights, and seeds and states of all random generators."""
        for name in self._attributes():
            part = getattr(self, name)
            if isinstance(part, set) and any(isinstance(each, _KEPT) for each in part):
                raise ValueError(
                    f"Keras cannot save what stands in a set. Received: `{name}`, a set of layers "
                    "or weights. Make it a list."
                )
        for index, variable in enumerate(self._present(keras.Variable)):
            store[f"{index}"] = variable
        store["epochs_trained"] = np.array(self.epochs_trained)
        store["seeds"] = np.array([part.seed for part in self._seeded()])
        for index, variable in enumerate(self._random_states()):
            store[f"{_STATE}{index}"] = ops.convert_to_numpy(variable)

    def load_own_variables(self, store):
        """Bring back the model's own weights, and seeds and states of all random generators."""
        names = set(store.keys())
        weights, states = self._present(keras.Variable), self._random_states()
        for prefix, what, variables in (("", "own weights", weights), (_STATE, "states", states)):
            count = sum(f"{prefix}{index}" in names for index in range(len(names)))
            if count != len(variables):
                raise ValueError(
                    f"The file does not fit this model: it holds {count} {what}, the model has "
                    f"{len(variables)}. Load it with keras_imgen.load_model, which builds the "
                    "model from the file."
                )
            for index, variable in enumerate(variables):
                variable.assign(store[f"{prefix}{index}"])
        if "epochs_trained" in names:
            self.epochs_trained = int(store["epochs_trained"][()])
        if "seeds" in names:
            for part, seed in zip(self._seeded(), store["seeds"], strict=True):
                part.seed = checks.seed(int(seed))

    def get_config(self):
        """Return the constructor's arguments that all models have, and the format of the file."""
        return {
            "format": FORMAT,
            "seed": self.seed,
            "name": self.name,
            "dtype": self.dtype_policy.name,
        }

    @classmethod
    def from_config(cls, config):
        """Rebuild the model: every argument that is a saved Keras object becomes that object."""
        config = dict(config)
        written = config.pop("format", 0)
        if written not in range(FORMAT + 1):
            raise ValueError(
                f"This {cls.__name__} was saved by a newer keras_imgen. Received: format "
                f"{written!r}; this version reads formats up to {FORMAT}. Install the version that "
                "the file comes from, or a newer one."
            )
        return cls(**{key: keras.saving.deserialize_keras_object(v) for key, v in config.items()})

    @property
    def _zz_seal(self):
        # Keras saves and loads attributes in the order of their names: this one must be the last.
        return Seal(
            lambda: {
                "weights": self._saved_weights(),
                "random states": self._random_states(),
                "optimizer's moments": self._moments(),
            }
        )

    def _moments(self):
        optimizer = getattr(self, "optimizer", None)  # none before compile
        return [] if optimizer is None else optimizer.variables

    def _saved_weights(self):
        """Return the weights that are saved; they stand on the attributes, as all that is saved.

        On Keras's own lists what an attribute held before stays for ever, and is in no file.
        """
        return _unique(
            self._present(keras.Variable),
            *(layer.weights for layer in self._present(keras.Layer)),
        )

    def _random_states(self):
        layers = self._present(keras.Layer)
        weights = {id(weight) for layer in layers for weight in layer.weights}
        states = _unique(
            [draws.state for draws in self._present(keras.random.SeedGenerator)],
            *(layer.variables for layer in layers),
        )
        return [state for state in states if id(state) not in weights]

    def _seeded(self):
        """Return what draws by a seed of its own outside of training."""
        parts = _unique(*(layer._flatten_layers() for layer in self._present(keras.Layer)))
        return [self, *(part for part in parts if isinstance(part, Degradation))]

    def _present(self, kind):
        """Return what there is of a kind on the attributes, in the order in which they were set."""
        values = [getattr(self, name) for name in self._attributes()]
        return _unique([part for part in _within(values) if isinstance(part, kind)])

    def _attributes(self):
        known = _attributes_of_all_models()
        # TensorFlow's own lists of what it tracks begin with "_self_".
        return [n for n in _attributes_of(self) if n not in known and not n.startswith("_self_")]


def _unique(*parts):
    return list({id(each): each for part in parts for each in part}.values())


@functools.cache
def _attributes_of_all_models():
    return frozenset([*_attributes_of(keras.Model(name="any")), "_torch_params"])


def _attributes_of(part):
    """Return the names of all attributes of an object, those with layers as they were set."""
    apart = vars(part).get("_modules")  # where PyTorch keeps layers, but not lists of them
    if apart is None:
        return [*vars(part)]
    places = {id(layer): place for place, layer in enumerate(part._layers)}

    def place(name):
        held = _within(apart.get(name, vars(part).get(name)))
        return min((places[id(each)] for each in held if id(each) in places), default=-1)

    return sorted([*vars(part), *apart], key=place)


def _within(value):
    """Yield what stands in lists, tuples and dicts, however deep."""
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list | tuple):
        yield value
        return
    for part in value:
        yield from _within(part)
