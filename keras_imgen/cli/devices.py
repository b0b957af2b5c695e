"""What this process computes on."""

import os

import keras


def devices() -> list[str]:
    """Return the names of the devices that the backend sees, such as `cpu:0` and `gpu:0`."""
    if keras.backend.backend() != "torch":
        return keras.distribution.list_devices()
    # Keras lists those of the other backends alone, and on PyTorch takes one.
    return [str(keras.ops.zeros(()).device)]


def has_accelerator() -> bool:
    """Return whether there is more than a processor."""
    return any("cpu" not in name.lower() for name in devices())


def cores() -> int | None:
    """Return the number of the processor's cores that this process may use."""
    # Which containers limit.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
