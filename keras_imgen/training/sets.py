"""Makes of what `fit` and `evaluate` are given something that Keras can iterate over, checked.

Each batch is looked at when it is read, where no compiler can leave the look out.
"""

import hashlib
import json

import keras
import numpy as np
from keras import ops

from keras_imgen import backends
from keras_imgen.checks import number, shown, whole_number
from keras_imgen.data import PictureDataset, load_arrays
from keras_imgen.data.dataset import share_of
from keras_imgen.training.batches import (
    ONE_PICTURE,
    PAIRS,
    Batch,
    batch_of,
    check_labels,
    checked_batch,
    numbers_in,
)
from keras_imgen.training.grain import GrainBatches, from_grain
from keras_imgen.training.seal import digest


def counts_checked(options: dict) -> dict:
    """Return the arguments of `fit` or `evaluate`, those that count something as integers."""
    counts = {"epochs": 0, "initial_epoch": 0, "validation_freq": 1}
    counts |= dict.fromkeys(("steps", "steps_per_epoch", "validation_steps"), 1)
    options = dict(options)
    for name in counts.keys() & options.keys():
        value = options[name]
        # No number of steps is all there are; a list of epochs says in which to validate.
        if value is None and "steps" in name:
            continue
        if name == "validation_freq" and isinstance(value, list):
            continue
        options[name] = whole_number(name, value, counts[name])
    return options


def training_set(model, x, y, batch_size, options: dict) -> tuple:
    """Return what `fit` iterates over, what tells it from other data, and Keras's own options."""
    options, given = dict(options), x
    x = taken(model, x, y, options)
    share, held_out = options.pop("validation_split", 0.0), options.get("validation_data")
    held_out_size = options.pop("validation_batch_size", None)
    held_out_size = batch_size if held_out_size is None else held_out_size
    shuffle, steps = options.pop("shuffle", True), options.get("steps_per_epoch")
    advice = "It is the share of the pictures to validate on: for a fifth of them pass 0.2."
    if number("validation_split", share, 0.0, 1.0, advice) and held_out is None:
        x, held_out = _split(x, share)
    elif held_out is not None:
        held_out = taken(model, held_out, None, {}, "validation_data")
    x = _served(model, x, batch_size, steps, shuffle)
    if isinstance(x, PictureDataset | GrainBatches) and steps:
        x = Stream(x, options.pop("steps_per_epoch"))
    if held_out is not None:
        steps = options.get("validation_steps")
        held_out = _fixed(_served(model, held_out, held_out_size, steps, name="validation_data"))
        held_out = _shared(_looked_at(held_out, Look(model, training=False)))
        options["validation_data"] = backends.fed(held_out)
    described = _described(x, given)
    check_alike(model, x, described)
    return _shared(_looked_at(x, Look(model, training=True))), described, options


def held_out_set(model, x, y, batch_size, options: dict):
    """Return what `evaluate` iterates over, checked."""
    x = _served(model, taken(model, x, y, options), batch_size, options.get("steps"))
    return _shared(_looked_at(_fixed(x), Look(model, training=False)))


def check_predicted(model, x, batch_size) -> None:
    """Raise unless `predict` can take this: of arrays, by their shapes and their number."""
    if (count := backends.hosts()[1]) > 1:
        raise NotImplementedError(
            f"`predict` works in one process alone. Received: {count} that share the model. "
            f"{model._instead_of_predict}"
        )
    wanted = [tuple(spec.shape) for spec in model._inputs()]
    found = x if isinstance(x, list | tuple) else [x]
    if not all(hasattr(each, "shape") for each in found):
        return
    found = [tuple(each.shape) for each in found]
    if len(found) != len(wanted) or not all(map(_fits, found, wanted)):
        raise ValueError(
            f"`predict` of this {type(model).__name__} takes arrays of shape "
            f"{' and '.join(map(str, wanted))}. Received: {' and '.join(map(str, found))}. "
            f"{model._instead_of_predict}"
        )
    if backends.replicas(model):  # which share out any number
        return
    count, batch_size = found[0][0], batch_size or 32
    for size in {min(count, batch_size), count % batch_size} - {0}:
        Look(model, training=False).check_count(size)


def taken(model, x, y, options, name="x"):
    """Return a dataset as it is, all else as one checked `Batch`; refuse what no model takes."""
    x = from_grain(x, name)
    given = {key: options.get(key) for key in ("sample_weight", "class_weight")}
    if y is None or not (model.num_classes or model.learns_pairs):
        given = {"y": y, **given}
    if names := [f"`{key}`" for key, value in given.items() if value is not None]:
        what = "pairs" if model.learns_pairs else "clean pictures"
        advice = "Leave it out." if model.learns_pairs else "Pass the clean pictures as `x` only"
        raise ValueError(
            f"{type(model).__name__} learns from {what} alone, all of equal weight. Received: "
            f"{', '.join(names)}. {advice}{'' if model.learns_pairs else f'; {PAIRS}.'}"
        )
    if isinstance(x, keras.utils.PyDataset) or hasattr(x, "cardinality"):
        if y is not None:
            raise ValueError(
                "`y` goes with an array of pictures. Received: `y` for a "
                f"{type(x).__name__}. Put what it holds into the dataset, as in load(name, "
                "labels=True)."
            )
        return x
    if hasattr(x, "__next__"):
        raise TypeError(
            f"`{name}` must be something that can be read in every epoch anew. Received: a "
            f"{type(x).__name__}. Make it a keras.utils.PyDataset, or a dataset with "
            "tf.data.Dataset.from_generator."
        )
    if isinstance(x, list) and y is None and not model.learns_pairs:
        x = Batch(x)  # no pair of arrays, but pictures that were not stacked
    return checked_batch(model, x if y is None else (x, y), name)


class Stream(keras.utils.PyDataset):
    """Epochs of `steps` batches, cut from the endless sequence of a dataset's own epochs.

    Keras's own way of doing so starts at another place when a training is resumed.
    """

    def __init__(self, dataset, steps):
        super().__init__()
        self.dataset, self.steps, self.epoch = dataset, steps, 0

    def __len__(self):
        return self.steps

    def __getitem__(self, index):
        return self.rows(index, 0, 1)

    def rows(self, index, rank, count):
        """Return what one of several processes takes of a batch."""
        position = self.epoch * self.steps + index
        self.dataset.epoch, index = divmod(position, len(self.dataset))
        return rows_of_batch(self.dataset, index, rank, count)


class Look:
    """What a model asks of each batch that it trains on or is judged by.

    Compiled steps cannot ask: XLA and JAX leave out what raises errors. Values that are no numbers
    are let through, since the logs tell of them, and a training may come back from there.

    Args:
        model: the model.
        training: whether it learns from the batches.
    """

    def __init__(self, model, training: bool):
        self.model = model
        self.devices = backends.parts(model)
        self.least = self.devices * (2 if training and model._needs_batch else 1)

    def __call__(self, batch) -> None:
        """Raise a TypeError or ValueError if a batch is not what it must be."""
        batch = batch_of(self.model, batch)
        clean, observed = _finite(batch.clean), _finite(batch.observed)
        checked_batch(self.model, batch._replace(clean=clean, observed=observed), "x")
        self.check_count(len(clean))

    def check_count(self, count: int) -> None:
        """Raise if a batch holds too few pictures to learn from, or cannot be shared out."""
        if self.devices == 1 and count < self.least:
            raise ValueError(ONE_PICTURE)
        if count % self.devices or count < self.least:
            raise ValueError(
                f"On {self.devices} devices a batch must hold a multiple of {self.devices} "
                f"pictures, at least {self.least}. Received: a batch of {count}. Choose the batch "
                "size, and of held-out pictures their number, so that no others are left over."
            )


def _served(model, x, batch_size, steps, shuffle=False, name="x"):
    """Return something that Keras can iterate over; of a dataset, the first batch is checked."""
    if isinstance(x, Batch):
        options = {"batch_size": 32 if batch_size is None else batch_size, "shuffle": shuffle}
        return load_arrays(x.clean, x.labels, observed=x.observed, seed=model.seed, **options)
    if batch_size is not None and name == "x":
        raise ValueError(
            f"`batch_size` is for arrays. Received: batch_size={shown(batch_size)} for a "
            "dataset, which has batches already. Pass it where the dataset is made: load(name, "
            "batch_size=...)."
        )
    own = isinstance(x, keras.utils.PyDataset)
    kind = "keras.utils.PyDataset" if own else "tf.data.Dataset"
    kind = "grain.MapDataset" if isinstance(x, GrainBatches) else kind
    endless = x.num_batches is None if own else int(x.cardinality()) == -1
    if endless and steps is None:
        raise ValueError(
            f"`{name}` never ends. Received: an infinite {kind}. Pass `steps_per_epoch` (for "
            "validation `validation_steps`, for evaluate `steps`), or leave out `.repeat()`."
        )
    empty = own and x.num_batches == 0
    first = None if empty else x[0] if own else next(iter(x.take(1)), None)
    if first is None:
        raise ValueError(f"`{name}` holds no picture. Received: an empty {kind}.")
    _refuse_unbatched(model, first, name)
    checked_batch(model, first, name)
    if model.num_classes and isinstance(x, PictureDataset):
        check_labels(x.labels, model.num_classes)  # of all pictures
    return x


def _refuse_unbatched(model, data, name):
    """Raise if these are single pictures: a pair of them would look like a batch with labels."""
    first = data[0] if isinstance(data, tuple | list) and data else data
    first = data.get("image", data.get("observed")) if isinstance(data, dict) else first
    if len(getattr(first, "shape", ())) == len(model.image_shape):
        raise ValueError(
            f"`{name}` must give batches of pictures. Received: single pictures of shape "
            f"{tuple(first.shape)}. Batch the dataset with `.batch(32)`; if grey pictures lack "
            "the channel axis, add it with `[..., None]`."
        )


def _looked_at(x, look: Look):
    """Return the same batches, each of which is looked at when it is read."""
    pictures = x.dataset if isinstance(x, Stream) else x
    if isinstance(pictures, PictureDataset):  # whole arrays, which have been looked at
        for index in (0, len(pictures) - 1):
            rest = pictures.num_pictures - index * pictures.batch_size
            look.check_count(min(rest, pictures.batch_size))
        return x
    if not isinstance(x, keras.utils.PyDataset):
        return backends.in_reading(x, look, numbers_in)
    if look.least > 1 and x.num_batches:  # the last batch is the smallest
        look(x[x.num_batches - 1])
    return _LookedAt(x, look)


class _Wrapped(keras.utils.PyDataset):
    """A dataset whose batches are made of those of another one, in its order."""

    def __init__(self, dataset):
        settings = ("workers", "use_multiprocessing", "max_queue_size")
        super().__init__(**{name: getattr(dataset, name) for name in settings})
        self.dataset = dataset

    @property
    def num_batches(self):
        return self.dataset.num_batches

    def on_epoch_begin(self):
        self.dataset.on_epoch_begin()

    def on_epoch_end(self):
        self.dataset.on_epoch_end()


class _LookedAt(_Wrapped):
    """A dataset of somebody's own, each batch of which is looked at."""

    def __init__(self, dataset, look):
        super().__init__(dataset)
        self.look = look

    def __getitem__(self, index):
        batch = self.dataset[index]
        with backends.marked_errors():
            self.look(batch)
        # Of what is no tuple or dict, Keras takes NumPy's arrays alone.
        return numbers_in(batch) if isinstance(batch, tuple | list | dict) else (batch,)


def _shared(x):
    """Return of each batch what this process takes of it, all of it if there is but one."""
    rank, count = backends.hosts()
    if count == 1:
        return x
    own = isinstance(x, keras.utils.PyDataset)
    return Share(x, rank, count) if own else backends.rows_of(x, rank, count)


def rows_of_batch(dataset, index, rank, count):
    """Return what one of several processes takes of a batch, and read no more if that can be."""
    if count == 1:
        return dataset[index]
    as_made_here = type(dataset).__getitem__ in (PictureDataset.__getitem__, Stream.__getitem__)
    if as_made_here:  # a subclass may make other batches
        return dataset.rows(index, rank, count)
    return keras.tree.map_structure(lambda rows: share_of(rows, rank, count), dataset[index])


class Share(_Wrapped):
    """What one of several processes takes of each batch of a dataset.

    Args:
        dataset: the whole batches.
        rank: the number of the process, from 0.
        count: how many they are.
    """

    def __init__(self, dataset, rank, count):
        super().__init__(dataset)
        self.rank, self.count = rank, count

    def __getitem__(self, index):
        return rows_of_batch(self.dataset, index, self.rank, self.count)


def unwrapped(x):
    """Return the dataset of which one was made here, or the same one."""
    return unwrapped(x.dataset) if isinstance(x, _Wrapped) else x


def check_alike(model, x, described: dict) -> None:
    """Raise if other processes would train another model, or on other data."""
    if backends.hosts()[1] > 1:
        whole = isinstance(x, keras.utils.PyDataset)
        first = keras.tree.flatten(x[0] if whole else next(iter(x.take(1))))
        if isinstance(x, PictureDataset) and isinstance(x.pictures, np.ndarray):
            first.append(x.pictures)
        begin = {"seed": model.seed, "epochs": model.epochs_trained}
        begin["first batch"] = hashlib.sha256(
            b"".join(np.ascontiguousarray(ops.convert_to_numpy(part)).tobytes() for part in first)
        ).hexdigest()
        begin["weights"] = digest(model.variables).tobytes().hex()
        setup = keras.saving.serialize_keras_object(model)
        backends.check_agreed(json.dumps({**described, **begin, "model": setup}, default=str))


def _described(x, given) -> dict:
    """Return what tells the data of one training from those of another, for `Resume`.

    Args:
        x: what `fit` iterates over.
        given: what it was given; the order of arrays follows the model's own seed.
    """
    if isinstance(x, Stream):
        return {**_described(x.dataset, given), "steps_per_epoch": x.steps}
    if isinstance(x, PictureDataset):
        names = ("num_pictures", "batch_size", "crops", "shuffle")
        names += ("seed",) if x is given else ()
        names += ("binarize",) if x.binarize else ()
        return {name: getattr(x, name) for name in names} | {"image_shape": list(x.image_shape)}
    batches = x.num_batches if isinstance(x, keras.utils.PyDataset) else int(x.cardinality())
    return {"batches": batches}


def _fixed(x):
    """Return a dataset made for training as one that is always the same and leaves nothing out."""
    if not isinstance(x, PictureDataset) or not x.shuffle:
        return x
    options = {**x.options, "shuffle": False}
    return PictureDataset(x.pictures, x.labels, observed=x.observed, **options)


def _split(x, share):
    """Cut off the last `share` of arrays, as Keras does."""
    if not isinstance(x, Batch):
        raise ValueError(
            "`validation_split` cuts arrays only. Received: "
            f"validation_split={share} for a {type(x).__name__}. Pass `validation_data` instead, "
            'for example keras_imgen.load(name, "test").'
        )
    total = len(x.clean)
    count = total - int(total * share)
    if not 0 < count < total:
        raise ValueError(
            "`validation_split` must leave pictures for training and for validation. Received: "
            f"validation_split={share} of {total} pictures. For a fifth of them pass 0.2."
        )
    parts = [(None, None) if part is None else (part[:count], part[count:]) for part in x]
    return tuple(Batch(*halves) for halves in zip(*parts, strict=True))


def _finite(pictures):
    """Return pictures with zeros for what is no number."""
    if isinstance(pictures, np.ndarray) and np.issubdtype(pictures.dtype, np.floating):
        return np.where(np.isfinite(pictures), pictures, 0.0)
    return pictures


def _fits(shape, wanted):
    pairs = zip(shape, wanted, strict=False)
    return len(shape) == len(wanted) and all(b in (None, a) for a, b in pairs)
