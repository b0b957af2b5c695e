"""Reads sets of TensorFlow Datasets (TFDS): prepared ones first, the network only if asked for."""

import urllib.error
import urllib.request
from pathlib import Path

import numpy as np

from keras_imgen.data.sources import EMBEDDED

HOST = "storage.googleapis.com"  # where TFDS keeps its catalogue
MAX_BYTES = 4 * 2**30


def read_tfds(name: str, split: str, labels: bool, data_dir: str | Path | None):
    """Return the pictures (uint8, one array or a list) and labels of one split."""
    try:
        import tensorflow_datasets
    except ImportError as error:
        raise ImportError(
            f"{name!r} is not an embedded set ({_quoted(EMBEDDED)}), and to load it from TFDS "
            f"tensorflow-datasets must be installed, with what it needs ({error})."
        ) from error
    builder = _builder(tensorflow_datasets, name, data_dir)
    _check(builder, name, split, labels)
    pictures, targets = [], []
    for example in tensorflow_datasets.as_numpy(builder.as_dataset(split=split)):
        pictures.append(example["image"])
        targets.append(example["label"] if labels else 0)
    if len({picture.shape for picture in pictures}) == 1:
        pictures = np.stack(pictures)
    return pictures, np.asarray(targets, "int32")


def is_reachable(timeout: float = 3.0) -> bool:
    """Return whether TFDS's server answers within `timeout` seconds, directly or by a proxy."""
    try:
        with urllib.request.urlopen(f"https://{HOST}", timeout=timeout):
            return True
    except urllib.error.HTTPError:  # it says what it thinks of the address, so it is there
        return True
    except OSError:
        return False


def _builder(tfds, name, data_dir):
    """Return a builder whose data are on this machine, downloading them if need be."""
    folder = Path(data_dir or tfds.core.constants.DATA_DIR).expanduser()
    path = folder / name.replace(":", "/")  # TFDS's own way to name a version: "mnist:3.0.1"
    prepared = sorted(path.glob("**/dataset_info.json"), key=_version)
    if name and prepared:
        return tfds.builder_from_directory(prepared[-1].parent)
    if name.split("/")[0].split(":")[0] not in _known_names(tfds):
        raise ValueError(
            f"There is no set called {name!r}. Embedded sets: {_quoted(EMBEDDED)}; other names are "
            'those of TFDS, such as "mnist" or "cifar10". For a folder use load_folder.'
        )
    if not is_reachable():
        raise ConnectionError(
            f"{name!r} is not prepared in {str(folder)!r}, and TFDS's server cannot be reached to "
            f"download it. Without a network these sets work: {_quoted(EMBEDDED)}."
        )
    builder = tfds.builder(name, data_dir=folder)
    builder.download_and_prepare()
    return builder


def _known_names(tfds) -> set[str]:
    return set(tfds.list_builders(with_community_datasets=False))


def _version(info: Path):
    """Sort prepared versions as numbers: 3.10.0 is newer than 3.9.0."""
    return [int(part) if part.isdigit() else -1 for part in info.parent.name.split(".")]


def _check(builder, name, split, labels):
    features = builder.info.features
    wanted = ("image", "label") if labels else ("image",)
    if missing := [key for key in wanted if key not in features]:
        raise ValueError(
            f"{name!r} must have the feature {_quoted(missing)}. Received: {_quoted(features)}."
        )
    try:
        count = builder.info.splits[split].num_examples
    except (KeyError, ValueError) as error:
        raise ValueError(
            f"{name!r} has no split {split!r}. It has: {_quoted(builder.info.splits)}."
        ) from error
    shape = features["image"].shape
    if features["image"].np_dtype != np.uint8 or None in shape[2:]:
        raise ValueError(
            f"The pictures of {name!r} must be uint8 with a fixed number of channels. "
            f"Received: {features['image']}."
        )
    if None not in shape and count * int(np.prod(shape)) > MAX_BYTES:
        raise ValueError(
            f"{name!r} is held in memory and would need {count * np.prod(shape) / 2**30:.0f} GiB. "
            f"Load a part of it, for example split='{split}[:10%]'."
        )


def _quoted(names) -> str:
    return ", ".join(f'"{name}"' for name in names)
