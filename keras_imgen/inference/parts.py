"""Sequences in parts of a few frames, with the same result as in one piece."""

import math

import keras
import numpy as np
from keras import ops

from keras_imgen.networks.recurrent import carrying

FRAMES = 5  # of a sequence by which a network is tried


def step_of(restored):
    """Return a function of some frames and of what is remembered before them.

    Args:
        restored: function from observed frames `(n, time, height, width, channels)`.

    Returns:
        A function of frames and what is remembered (by `ConvLSTM` layers, in the order of their
        calls; None for nothing) to restored frames, and what is remembered after them.
    """

    def step(frames, before):
        with carrying(before) as memories:
            made = restored(frames)
        return made, memories.after

    return step


def directions(network: keras.Model, multiple: int = 1) -> tuple[bool, ...]:
    """Return of each recurrent layer of a network whether it reads the frames backwards.

    Args:
        network: of sequences.
        multiple: of which free sides must be multiples.
    """
    with carrying() as memories:
        network(np.zeros(_tried_on(network, multiple), "float32"), training=False)
    return tuple(memories.backwards)


def in_parts(step, frames, size: int, backwards=(), progress: bool = False) -> np.ndarray:
    """Return a sequence restored a few frames at a time.

    What reads the frames backwards is carried through all parts first, from the last one to the
    first, and what it remembers is kept for each part.

    Args:
        step: by `step_of`.
        frames: observed sequence, as an array `(n, time, height, width, channels)`.
        size: frames at a time.
        backwards: by `directions`.
        progress: whether to show a bar.
    """
    parts = [frames[:, start : start + size] for start in range(0, frames.shape[1], size)]
    steps = len(parts) + any(backwards) * (len(parts) - 1)
    bar = keras.utils.Progbar(steps, unit_name="part") if progress else None

    def stepped(part, *memories):
        made, after = step(part, _chosen(backwards, *memories))
        if bar is not None:
            bar.add(1)
        return made, [[ops.convert_to_numpy(value) for value in memory] for memory in after]

    later = [None] * len(parts)  # what those that read backwards remember after each part
    if any(backwards):
        for number in reversed(range(1, len(parts))):
            _, later[number - 1] = stepped(parts[number], None, later[number])
    restored, earlier = [], None
    for part, memory in zip(parts, later, strict=True):
        made, earlier = stepped(part, earlier, memory)
        restored.append(ops.convert_to_numpy(made))
    return np.concatenate(restored, axis=1)


def _chosen(backwards, earlier, later):
    """Return what each layer remembers, of what comes from the front and of what from behind."""
    if earlier is None and later is None:
        return None
    nothing = [[0.0 * value for value in memory] for memory in earlier or later]
    pairs = zip(backwards, earlier or nothing, later or nothing, strict=True)
    return [behind if back else front for back, front, behind in pairs]


def goes_in_parts(network: keras.Model, size: int, multiple: int = 1) -> bool:
    """Return whether a network makes the same of a sequence in parts, whatever its weights are.

    Args:
        network: of sequences.
        size: frames at a time.
        multiple: of which free sides must be multiples.
    """
    rng = np.random.default_rng(0)
    frames = rng.random(_tried_on(network, multiple), "float32")
    try:
        twin = keras.models.clone_model(network)
        for weight in twin.weights:  # of one that has learned nothing yet, many are 0
            inputs = np.prod(weight.shape[:-1], dtype=int)
            spread = rng.normal(0.0, inputs**-0.5, weight.shape)
            weight.assign(spread if spread.ndim > 1 else rng.uniform(0.5, 1.0, weight.shape))

        def restored(frames):
            return ops.cast(twin(frames, training=False), "float32")

        whole = ops.convert_to_numpy(restored(frames))
        found = in_parts(step_of(restored), frames, size, directions(twin, multiple))
    except Exception:  # of copies, and of another number of frames, layers say all sorts of things
        return False
    return found.shape == whole.shape and np.allclose(found, whole, atol=1e-4 * np.ptp(whole))


def _tried_on(network, multiple):
    """Return the shape of a small sequence on which a network is tried."""
    time, *sides, channels = network.input_shape[1:]
    free = multiple * math.ceil(16 / multiple)
    return (1, time or FRAMES, *(side or free for side in sides), channels)
