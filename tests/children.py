"""What processes need that compute on another backend than the tests do."""

import os
import socket
from pathlib import Path

import keras_imgen


def environment_of(backend: str) -> dict[str, str]:
    """Return the environment of a process that computes on a backend, and compiles little."""
    root = str(Path(keras_imgen.__file__).parents[1])
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    own = {"KERAS_BACKEND": backend, "PYTHONPATH": path, "JAX_PLATFORMS": "cpu"}
    own["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "1"  # compiling is what takes the time here
    return {**os.environ, **own}


def free_port() -> int:
    """Return the number of a port that nobody listens at."""
    with socket.socket() as connection:
        connection.bind(("127.0.0.1", 0))
        return connection.getsockname()[1]
