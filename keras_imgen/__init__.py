"""Image generation and restoration in Keras: GAN, VAE, diffusion, CNN and ConvLSTM restoration."""

import importlib
import sys
from pathlib import Path

from keras_imgen.processor import choose_convolutions

__version__ = "0.1.0"

# The public API: what is listed here is public, nothing else is.
_MODULES = (
    "callbacks",
    "data",
    "degradations",
    "losses",
    "metrics",
    "models",
    "networks",
    "plotting",
)
_NAMES = {
    "GAN": "gan",
    "VAE": "vae",
    "Diffusion": "diffusion",
    "Restorer": "restoration",
    "estimate_sigma": "sigma",
    "load": "data",
    "load_arrays": "data",
    "load_example": "data",
    "load_folder": "data",
    "load_model": "saving",
    "load_moving_digits": "data",
    "load_moving_photos": "data",
    "load_pretrained": "pretrained",
    "load_sequences": "data",
}
__all__ = ["__version__", *_MODULES, *_NAMES]


def __getattr__(name):
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    if name in _NAMES:
        return getattr(importlib.import_module(f"{__name__}.{_NAMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return __all__


def _is_command() -> bool:
    """Return whether the command keras-imgen is what runs."""
    started = sys.argv[0] if sys.argv else ""
    if started == "-m":  # which it is for every `python -m` until its module is found
        return not {"keras_imgen", "-mkeras_imgen"}.isdisjoint(sys.orig_argv)
    return Path(started).stem == "keras-imgen"


# Importing Keras takes seconds. The command shows its help without it; everybody else gets the
# whole package at once, because Keras can only load files of classes that have been imported.
if not _is_command():
    choose_convolutions()
    globals().update({name: __getattr__(name) for name in (*_NAMES, *_MODULES)})
