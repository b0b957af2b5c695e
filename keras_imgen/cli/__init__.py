"""The command `keras-imgen`."""

from keras_imgen.cli.command import main

__all__ = ["main"]
