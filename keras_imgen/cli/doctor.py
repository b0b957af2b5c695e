"""`keras-imgen doctor`: what a bug report needs to say about a machine."""

import importlib.metadata
import os
import platform

import keras

from keras_imgen.cli import speed
from keras_imgen.cli.devices import cores, devices
from keras_imgen.data import tfds

PACKAGES = (
    "keras-imgen",
    "keras",
    "tensorflow",
    "jax",
    "torch",
    "numpy",
    "pillow",
    "matplotlib",
    "tensorflow-datasets",
    "tensorboard",
    "av",
)


def doctor(args) -> None:
    """Print versions, devices and what can be reached; asked to, how long training steps take."""
    rows = {"Python": f"{platform.python_version()} on {platform.platform()}"}
    rows |= {name: _version(name) for name in PACKAGES}
    rows["backend"] = keras.backend.backend()
    rows["keras.json"] = (
        f"image_data_format {keras.config.image_data_format()}, floatx {keras.config.floatx()}, "
        f"epsilon {keras.config.epsilon():g}"
    )
    rows["devices"] = ", ".join(devices()) or "none"
    rows["processor cores"] = str(cores())
    rows["TFDS data"] = _tfds_folder()
    rows["TFDS server"] = (
        "reachable" if tfds.is_reachable() else "not reachable: embedded sets only"
    )
    width = max(map(len, rows)) + 2
    for name, value in rows.items():
        print(f"{name:<{width}}{value}")
    if args.time:
        speed.show()


def _version(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _tfds_folder():
    try:
        from tensorflow_datasets.core import constants
    except ImportError as error:
        return f"tensorflow-datasets cannot be imported: {error}"
    folder = os.path.expanduser(constants.DATA_DIR)
    try:
        sets = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    except OSError as error:
        return f"{folder}: {error.strerror}"
    return f"{folder}: {', '.join(sets) or 'nothing prepared yet'}"
