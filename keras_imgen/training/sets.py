"""Makes of what `fit` and `evaluate` are given something that Keras can iterate over, checked."""

import keras

from keras_imgen.checks import dtype_name, number, shown, whole_number
from keras_imgen.data import PictureDataset, load_arrays
from keras_imgen.training.batches import ONE_PICTURE, PAIRS, Batch, batch_of, check_batch
from keras_imgen.training.labels import check_labels


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


def training_set(model, x, y, batch_size, options: dict):
    """Return what `fit` iterates over, checked, and the other arguments of Keras's `fit`."""
    options = dict(options)
    x = given_checked(model, x, y, options)
    share, held_out = options.pop("validation_split", 0.0), options.get("validation_data")
    held_out_size = options.pop("validation_batch_size", None)
    held_out_size = batch_size if held_out_size is None else held_out_size
    shuffle, steps = options.pop("shuffle", True), options.get("steps_per_epoch")
    advice = "It is the share of the pictures to validate on: for a fifth of them pass 0.2."
    if number("validation_split", share, 0.0, 1.0, advice) and held_out is None:
        x, held_out = _split(x, share)
    x = _checked(model, x, batch_size, steps, shuffle=shuffle)
    if model._needs_batch:
        _refuse_single(model, x)
    if isinstance(x, PictureDataset) and steps:
        x = Stream(x, options.pop("steps_per_epoch"))
    if held_out is not None:
        steps = options.get("validation_steps")
        held_out = given_checked(model, held_out, None, {})
        held_out = _checked(model, held_out, held_out_size, steps, name="validation_data")
        options["validation_data"] = _fixed(held_out)
    return x, options


def held_out_set(model, x, y, batch_size, options: dict):
    """Return what `evaluate` iterates over, checked."""
    x = given_checked(model, x, y, options)
    return _fixed(_checked(model, x, batch_size, options.get("steps")))


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
        position = self.epoch * self.steps + index
        self.dataset.epoch, index = divmod(position, len(self.dataset))
        return self.dataset[index]


def _fixed(x):
    """Return a dataset made for training as one that is always the same and leaves nothing out."""
    if not isinstance(x, PictureDataset) or not x.shuffle:
        return x
    options = {"batch_size": x.batch_size, "crop_size": x.crop_size, "crops": x.crops}
    options |= {"observed": x.observed, "seed": x.seed}
    return PictureDataset(x.pictures, x.labels, shuffle=False, **options)


def _split(x, share):
    """Cut off the last `share` of arrays, as Keras does."""
    if isinstance(x, Batch):
        parts = [(None, None) if part is None else _split(part, share) for part in x]
        return tuple(Batch(*halves) for halves in zip(*parts, strict=True))
    if dtype_name(x) == "object" or not x.shape:
        raise ValueError(
            "`validation_split` cuts arrays only. Received: "
            f"validation_split={share} for a {type(x).__name__}. Pass `validation_data` instead, "
            'for example keras_imgen.load(name, "test").'
        )
    count = len(x) - int(len(x) * share)
    if not 0 < count < len(x):
        raise ValueError(
            "`validation_split` must leave pictures for training and for validation. Received: "
            f"validation_split={share} of {len(x)} pictures. For a fifth of them pass 0.2."
        )
    return x[:count], x[count:]


def _refuse_single(model, x):
    """Raise if the last batch, the smallest, of what has a length holds one picture."""
    count = x.num_batches if isinstance(x, keras.utils.PyDataset) else None
    if count and len(batch_of(model, x[count - 1]).clean) == 1:
        raise ValueError(ONE_PICTURE)


def given_checked(model, x, y, options):
    """Return a dataset as it is, and all else as one `Batch`; refuse what no model takes."""
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
    if _is_dataset(x):
        if y is not None:
            raise ValueError(
                "`y` goes with an array of pictures. Received: `y` for a "
                f"{type(x).__name__}. Put what it holds into the dataset, as in load(name, "
                "labels=True)."
            )
        return x
    if isinstance(x, list) and y is None and not model.learns_pairs:
        return Batch(x)  # no pair of arrays, but pictures that were not stacked
    return batch_of(model, x if y is None else (x, y))


def _is_dataset(x):
    return isinstance(x, keras.utils.PyDataset) or hasattr(x, "cardinality")


def _checked(model, x, batch_size, steps, *, shuffle=False, name="x"):
    """Return `x` as something Keras can iterate over, its first batch checked."""
    if _is_dataset(x):
        if batch_size is not None and name == "x":
            raise ValueError(
                f"`batch_size` is for arrays. Received: batch_size={shown(batch_size)} for a "
                "dataset, which has batches already. Pass it where the dataset is made: load(name, "
                "batch_size=...)."
            )
        checked = _checked_batches if hasattr(x, "num_batches") else _checked_stream
        return checked(model, x, steps, name)
    if hasattr(x.clean, "__next__"):
        raise TypeError(
            f"`{name}` must be something that can be read in every epoch anew. Received: a "
            f"{type(x.clean).__name__}. Make it a keras.utils.PyDataset, or a dataset with "
            "tf.data.Dataset.from_generator."
        )
    check_batch(model, x, name)
    labels = None if x.labels is None else check_labels(x.labels, model.num_classes)
    options = {"batch_size": 32 if batch_size is None else batch_size, "shuffle": shuffle}
    return load_arrays(x.clean, labels, observed=x.observed, seed=model.seed, **options)


def _checked_batches(model, x, steps, name):
    if x.num_batches == 0:
        raise ValueError(f"`{name}` holds no picture. Received: a dataset of 0 batches.")
    if x.num_batches is None and steps is None:
        raise _never_ends(name, "keras.utils.PyDataset")
    _check_first(model, x[0], name)
    if model.num_classes and isinstance(x, PictureDataset):
        check_labels(x.labels, model.num_classes)  # of all pictures
    return x


def _checked_stream(model, x, steps, name):
    if int(x.cardinality()) == -1 and steps is None:
        raise _never_ends(name, "tf.data.Dataset")
    for batch in x.take(1):
        _check_first(model, batch, name)
        return x
    raise ValueError(f"`{name}` holds no picture. Received: an empty tf.data.Dataset.")


def _never_ends(name, kind):
    return ValueError(
        f"`{name}` never ends. Received: an infinite {kind}. Pass `steps_per_epoch` (for "
        "validation `validation_steps`, for evaluate `steps`), or leave out `.repeat()`."
    )


def _check_first(model, data, name):
    # Single pictures first: a pair of them would look like a batch with labels.
    first = data[0] if isinstance(data, tuple | list) and data else data
    first = data.get("image", data.get("observed")) if isinstance(data, dict) else first
    if len(getattr(first, "shape", ())) == len(model.image_shape):
        raise ValueError(
            f"`{name}` must give batches of pictures. Received: single pictures of shape "
            f"{tuple(first.shape)}. Batch the dataset with `.batch(32)`; if grey pictures lack "
            "the channel axis, add it with `[..., None]`."
        )
    check_batch(model, batch_of(model, data), name)
