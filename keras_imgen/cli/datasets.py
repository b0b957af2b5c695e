"""The pictures that `keras-imgen train`, `demo` and `evaluate` are told to take."""

import os
import re
import warnings

import numpy as np

from keras_imgen import load, load_folder, load_sequences
from keras_imgen.checks import shown
from keras_imgen.data import PictureDataset, tfds
from keras_imgen.data.sources import EMBEDDED
from keras_imgen.data.streamed import StreamedPictures


def load_data(args, recipe) -> tuple[PictureDataset, PictureDataset]:
    """Return training and test pictures as the arguments ask for."""
    name = args.data or recipe.data
    chosen = {key: getattr(args, key) for key in ("size", "crops", "channels")}
    chosen = {key: value for key, value in chosen.items() if value is not None}
    options = {"batch_size": args.batch_size or recipe.batch_size, "seed": args.seed, **chosen}
    is_folder = bool(args.data) and _is_folder(name)
    if args.frames is not None and not is_folder:
        raise ValueError("--frames is for a folder of films. Leave it out, or pass --data FOLDER.")
    embedded = name in EMBEDDED and not is_folder
    if args.stream and embedded:
        raise ValueError(
            "--stream leaves the pictures of a folder or of a TFDS set in their files. Received: "
            f"{name!r}. Leave it out, or pass --data FOLDER of pictures or films, or a name such "
            "as cifar10."
        )
    if args.stream:
        options["stream"] = True
    if args.labels:
        options["labels"] = True
    if is_folder:
        if args.family == "sequence":
            options.pop("crops", None)
            parts = _hold_out(load_sequences(name, num_frames=args.frames or 10, **options))
        else:
            whole = load_folder(name, **options)
            parts = _hold_out(whole, binarize=args.binarize)
    elif name == "moving_digits" and chosen:
        raise ValueError(
            "moving_digits has a size and channels of its own. Received: "
            f"{', '.join(f'--{key}' for key in chosen)}. Leave it out."
        )
    else:
        options["binarize"] = args.binarize
        parts = tuple(_named(name, split, **options) for split in ("train", "test"))
    _check(args, name, *parts)
    return parts


def load_unseen(name: str, model, config: dict, count: int, seed: int) -> PictureDataset:
    """Return pictures that a VAE has not learned from, as those were that it has.

    Of a set, its test split; of the folder that it was trained on, what was held out; of another
    one, all. Drawn at random where there are more than asked for, all in one batch.

    Args:
        name: set or folder.
        model: the VAE, whose pictures have one size, and labels if it knows classes.
        config: what `config.json` says of its training, as far as there is one.
        count: at most so many pictures.
        seed: integer that fixes which, and what is drawn.
    """
    trained = config.get("arguments", {})
    *size, channels = model.image_shape
    options = {"size": tuple(size), "channels": channels, "crops": trained.get("crops")}
    options |= {"batch_size": count, "seed": seed, "labels": bool(model.num_classes)}
    options["stream"] = bool(trained.get("stream")) and name not in EMBEDDED
    how = {"shuffle": True, "binarize": trained.get("binarize")}
    try:
        if not _is_folder(name):
            return _named(name, "test", **options, **how)
        options["crops"] = options["crops"] or 0
        whole = load_folder(name, **options)
        if config.get("folder") == folder_named(name):
            whole = _hold_out(whole)[1]
        return _part(whole, np.arange(len(whole.pictures)), **how)
    except ValueError as error:
        if not model.num_classes or "label" not in str(error):
            raise
        # Its advice is for those who could do without.
        reason = re.split(r" (?:Pass|Move them)\b", str(error))[0]
        raise ValueError(
            "This VAE was trained with --labels, and is measured on pictures of its classes. "
            f"{reason} Pass a set or a folder that has them."
        ) from None


def divided(dataset: PictureDataset, parts: int) -> PictureDataset:
    """Return the pictures of a dataset that so many devices can share equally: all but a few.

    Raises:
        ValueError: if there are fewer pictures than devices.
    """
    count = len(dataset.pictures)
    if count < parts:
        raise ValueError(
            f"{parts} devices share the pictures that are held out for the test, at least one for "
            f"each. Received: {count} of them. Pass more pictures, or use fewer devices."
        )
    return _part(dataset, np.arange(count - count % parts)) if count % parts else dataset


def folder_named(name: str | None) -> str | None:
    """Return the whole path of a folder that somebody named, or None for something else."""
    path = os.path.realpath(os.path.expanduser(name or ""))
    return path if name and os.path.isdir(path) else None


def _is_folder(name):
    found = folder_named(name) is not None
    if found and name in EMBEDDED:
        warnings.warn(
            f"--data {name} is a folder here, which is taken instead of the set of that name.",
            stacklevel=3,
        )
    return found


def _named(name, split, **options):
    """Return a split of an embedded set or of one of TFDS."""
    try:
        return load(name, split, **options)
    except tfds.UnknownSetError:
        raise ValueError(
            "--data takes a folder of PNG and JPEG files, an embedded set "
            f"({', '.join(EMBEDDED)}) or the name of a TFDS set, such as mnist or cifar10. "
            f"Received: {shown(name)}, which is none of these."
        ) from None


def _check(args, name, train, test):
    """Raise, before anything is trained, for pictures that a family cannot learn from."""
    has_time = len(train.image_shape) == 4
    if has_time != (args.family == "sequence"):
        raise ValueError(
            "`sequence` is trained on sequences, the other families on pictures. Received: "
            f"{args.family} on {name!r}, of shape {train.image_shape}. Sequences are moving_digits "
            "and folders of films."
        )
    if args.binarize and train.image_shape[-1] != 1:
        raise ValueError(
            "--binarize makes black and white of grey pictures. Received: pictures in colour. "
            "Pass --channels 1, or leave out --binarize."
        )
    if args.family not in ("gan", "vae", "diffusion"):
        return
    if train.image_shape != test.image_shape:
        raise ValueError(
            f"A {args.family} is trained and tested on pictures of one size. Received: {name!r}, "
            f"of {_sides(train)} pixels to train on and {_sides(test)} to test on. Pass --size 64."
        )
    if min(train.batch_size, train.num_pictures) < 2:
        raise ValueError(
            f"A {args.family} learns from at least 2 pictures at a time. Received: "
            f"{train.num_pictures} to train on, in batches of {train.batch_size}. Pass more "
            "pictures and a --batch-size of 2 or more."
        )


def _sides(dataset):
    return " x ".join(map(str, dataset.image_shape[:2]))


def _hold_out(dataset, binarize=None):
    """Keep every tenth picture of a folder, at least one, for the test.

    Of sequences the last ones: those of one film are too much alike to be dealt to both sides.
    """
    count = len(dataset.pictures)
    if count < 2:
        raise ValueError(
            "To train on a folder it must hold at least 2 pictures or sequences, one of them for "
            f"the test. Received: {count}."
        )
    held_out = np.arange(count) % 10 == 9
    if dataset.image_shape[:-3]:  # sequences
        held_out = np.arange(count) >= count - count // 10
    held_out[-1] = True
    return tuple(
        _part(dataset, np.flatnonzero(held_out == wanted), shuffle=not wanted, binarize=binarize)
        for wanted in (False, True)
    )


def _part(dataset, chosen, **changes):
    """Return a dataset of some of the pictures, otherwise alike."""
    if isinstance(dataset.pictures, StreamedPictures):
        pictures = dataset.pictures.part(chosen)
    else:
        pictures = [dataset.pictures[i] for i in chosen]
        pictures = np.stack(pictures) if dataset.crop_size is None else pictures
    labels = None if dataset.labels is None else dataset.labels[chosen]
    return PictureDataset(pictures, labels, **dataset.options | changes)
