"""Reads sets of TensorFlow Datasets (TFDS): prepared ones first, the network only if asked for."""

import contextlib
import http.client
import os
import re
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np

from keras_imgen.checks import shown
from keras_imgen.data import sources
from keras_imgen.data.records import RecordPictures, find_records, picture_size
from keras_imgen.data.sources import EMBEDDED

HOST = "storage.googleapis.com"  # where TFDS keeps its catalogue
# A name, configuration and version: "mnist", "mnist:3.0.1", "voc/2007:4.0.0". The rest of what TFDS
# accepts, such as addresses and other catalogues, could lead anywhere.
NAME = re.compile(r"\w{1,100}(/\w[\w.+-]{0,99}){0,2}(:[\d.*]{1,20})?", re.ASCII)


def read_tfds(
    name: str,
    split: str,
    labels: bool,
    data_dir: str | Path | None,
    picture_key: str = "image",
    stream: bool = False,
):
    """Return the pictures (uint8, one array or a list), labels and class names of one split.

    With `stream` the pictures are left in their files.
    """
    if not NAME.fullmatch(name):
        raise UnknownSetError(name)
    try:
        import tensorflow_datasets
    except ImportError as error:
        raise ImportError(
            f"{name!r} is not an embedded set ({_quoted(EMBEDDED)}), and to load it from TFDS "
            f"tensorflow-datasets must be installed, with what it needs ({error})."
        ) from error
    folder = _folder(data_dir or tensorflow_datasets.core.constants.DATA_DIR)
    builder = _builder(tensorflow_datasets, name, folder)
    _check(builder, name, split, labels, picture_key, stream)
    read = _find if stream else _read
    with _named(f"The data of {name!r} in {str(folder)!r} cannot be read"):
        pictures, targets, num_bytes = read(builder, split, labels, picture_key)
    _check_memory(num_bytes, name, split)
    names = getattr(builder.info.features["label"], "names", None) if labels else None
    return pictures, np.asarray(targets, "int32"), names


def _read(builder, split, labels, key):
    """Return pictures and labels, and the bytes of as many as memory should hold."""
    pictures, targets, num_bytes = [], [], 0
    for example in _examples(builder, split):
        pictures.append(example[key])
        targets.append(example["label"] if labels else 0)
        num_bytes += example[key].nbytes
        if num_bytes > sources.MAX_BYTES:  # of pictures whose sizes were not known before
            break
    if len({picture.shape for picture in pictures}) == 1:
        pictures = np.stack(pictures)
    return pictures, targets, num_bytes


def _find(builder, split, labels, key):
    """Return pictures left in their files and labels, and that they need no memory.

    The set is read through if there are labels, or pictures of several sizes.
    """
    import tensorflow_datasets

    files = builder.info.splits[split].file_instructions
    places, shape = find_records(files), builder.info.features[key].shape
    shapes, targets = [], []
    names = ([key] if None in shape else []) + (["label"] if labels else [])
    if names:
        decoding = tensorflow_datasets.decode
        skipped = {key: decoding.SkipDecoding()} if key in names else None
        decoders = decoding.PartialDecoding(dict.fromkeys(names, True), decoders=skipped)
        for batch in _examples(builder, split, batch_size=256, decoders=decoders):
            shapes += [(*picture_size(each), shape[-1]) for each in batch.get(key, ())]
            targets += [int(label) for label in batch.get("label", ())]
    files = [file.filename for file in files]
    shapes = shapes or [shape] * len(places)
    return RecordPictures(builder.data_dir, key, files, places, shapes), targets, 0


def _examples(builder, split, **options):
    """Return the examples of a split, file by file."""
    import tensorflow as tf
    import tensorflow_datasets

    untuned = tf.data.Options()
    untuned.autotune.enabled = False  # else the end may wait as long as the reading took
    in_order = tensorflow_datasets.ReadConfig(interleave_cycle_length=1, options=untuned)
    dataset = builder.as_dataset(split=split, read_config=in_order, **options)
    return tensorflow_datasets.as_numpy(dataset)


class UnknownSetError(ValueError):
    """A name that is that of no set."""

    def __init__(self, name):
        super().__init__(
            "There is no set of that name. Received: "
            f"name={shown(name, 60)}. Embedded sets: {_quoted(EMBEDDED)}; "
            'other names are those of TFDS, such as "mnist" or "cifar10". For a folder use '
            "load_folder."
        )


@contextlib.contextmanager
def _named(problem):
    """Turn what TFDS raises, which may be anything, into one sentence."""
    try:
        yield
    except Exception as error:
        raise OSError(
            f"{problem}: {error}. Remove what is there, or mend the cause, and load the set again."
        ) from error


def is_reachable(timeout: float = 3.0) -> bool:
    """Return whether TFDS's server answers within `timeout` seconds, directly or by a proxy."""
    try:
        with urllib.request.urlopen(f"https://{HOST}", timeout=timeout):
            return True
    except urllib.error.HTTPError:  # it says what it thinks of the address, so it is there
        return True
    except (OSError, ValueError, http.client.HTTPException):  # a proxy may be or answer anything
        return False


def _folder(data_dir) -> Path:
    """Return the folder in which TFDS keeps its data."""
    if not isinstance(data_dir, str | Path) or "://" in str(data_dir):
        raise TypeError(f"`data_dir` must be a folder on this machine. Received: {data_dir!r}.")
    folder = Path(os.path.expanduser(data_dir))
    if os.path.lexists(folder) and not os.path.isdir(folder):
        raise NotADirectoryError(
            f"`data_dir` must be a folder. Received: {str(data_dir)!r}, which is a file."
        )
    return folder


def _builder(tfds, name, folder):
    """Return a builder whose data are on this machine, downloading them if need be."""
    path = folder / name.replace(":", "/")  # TFDS's own way to name a version: "mnist:3.0.1"
    prepared = [
        file
        for file in sorted(path.glob("**/dataset_info.json"), key=_version)
        if not file.parent.name.startswith("incomplete.")  # a download that was cut off
    ]
    if prepared:
        with _named(f"The data of {name!r} in {str(path)!r} cannot be read"):
            return tfds.builder_from_directory(prepared[-1].parent)
    if name.split("/")[0].split(":")[0] not in _known_names(tfds):
        raise UnknownSetError(name)
    if not is_reachable():
        raise ConnectionError(
            f"{name!r} is not prepared in {str(folder)!r}, and TFDS's server cannot be reached to "
            f"download it. Without a network these sets work: {_quoted(EMBEDDED)}."
        )
    with _named(f"{name!r} could not be downloaded to {str(folder)!r}"):
        builder = tfds.builder(name, data_dir=folder)
        builder.download_and_prepare()
    return builder


def _known_names(tfds) -> set[str]:
    return set(tfds.list_builders(with_community_datasets=False))


def _version(info: Path):
    """Sort prepared versions as numbers: 3.10.0 is newer than 3.9.0."""
    return [int(part) if part.isdigit() else -1 for part in info.parent.name.split(".")]


def _check(builder, name, split, labels, picture_key, stream):
    features = builder.info.features
    wanted = (picture_key, "label") if labels else (picture_key,)
    if missing := [key for key in wanted if key not in features]:
        raise ValueError(
            f"{name!r} must have the feature {_quoted(missing)}. Received: {_quoted(features)}. "
            "Name that of the pictures with `picture_key`."
        )
    try:
        count = builder.info.splits[split].num_examples
    except Exception as error:  # TFDS asserts, too
        raise ValueError(
            f"{name!r} has no split {split!r}. It has: {_quoted(builder.info.splits)}."
        ) from error
    if not count:
        raise ValueError(f"The split {split!r} of {name!r} holds no picture. Pass a larger part.")
    shape = features[picture_key].shape
    if features[picture_key].np_dtype != np.uint8 or None in shape[2:]:
        raise ValueError(
            f"The pictures of {name!r} must be uint8 with a fixed number of channels. "
            f"Received: {features[picture_key]}."
        )
    kept_as = builder.info.file_format.value
    if kept_as == "array_record" or (stream and kept_as != "tfrecord"):
        raise ValueError(
            "Sets of TFDS are read from TFRecord files, the kind that it prepares by default. "
            f"Received: {name!r} in files of the kind {kept_as}. Prepare it anew without "
            "`file_format`, or hand it to `fit` as a dataset of Grain."
        )
    if stream:
        if type(features[picture_key]).__name__ != "Image":
            raise ValueError(
                "Pictures that stay in their files must be PNG or JPEG there. Received: "
                f"{features[picture_key]} in {name!r}. Leave out `stream`."
            )
        return
    if None not in shape:
        _check_memory(count * int(np.prod(shape)), name, split)


def _check_memory(num_bytes, name, split):
    advice = (
        f"Load a part of it, for example split='{split}[:10%]', or leave it in its files: "
        "stream=True, or --stream"
    )
    sources.check_memory(num_bytes, f"{name!r}, or what was read of it", advice)


def _quoted(names) -> str:
    return ", ".join(f'"{name}"' for name in names)
