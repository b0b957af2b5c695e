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


def in_parts(
    step, frames, size: int, backwards=(), readings: int = 2, progress: bool = False
) -> np.ndarray:
    """Return a sequence restored a few frames at a time.

    Where something reads the frames backwards, it is carried through all parts first, from the last
    one to the first, and what it remembers is kept for each part. If it sees what something else
    has read forwards, that in turn must be carried through all parts before.

    Args:
        step: by `step_of`.
        frames: observed sequence, as an array `(n, time, height, width, channels)`.
        size: frames at a time.
        backwards: by `directions`.
        readings: by `readings_in_parts`: how often the sequence is read.
        progress: whether to show a bar.
    """
    parts = [frames[:, start : start + size] for start in range(0, frames.shape[1], size)]
    readings = readings if any(backwards) else 1
    steps = len(parts) + (readings - 1) * (len(parts) - 1)
    bar = keras.utils.Progbar(steps, unit_name="part") if progress else None
    earlier, later = [None] * (len(parts) + 1), [None] * len(parts)  # what each part begins with

    def stepped(number):
        memory = _chosen(backwards, earlier[number], later[number])
        made, after = step(parts[number], memory)
        if bar is not None:
            bar.add(1)
        return made, [[ops.convert_to_numpy(value) for value in memory] for memory in after]

    if readings > 2:
        for number in range(len(parts) - 1):
            _, earlier[number + 1] = stepped(number)
    if readings > 1:
        for number in reversed(range(1, len(parts))):
            _, later[number - 1] = stepped(number)
    restored = []
    for number in range(len(parts)):
        made, earlier[number + 1] = stepped(number)
        restored.append(ops.convert_to_numpy(made))
    return np.concatenate(restored, axis=1)


def _chosen(backwards, earlier, later):
    """Return what each layer remembers, of what comes from the front and of what from behind."""
    if earlier is None and later is None:
        return None
    nothing = [[0.0 * value for value in memory] for memory in earlier or later]
    pairs = zip(backwards, earlier or nothing, later or nothing, strict=True)
    return [behind if back else front for back, front, behind in pairs]


def readings_in_parts(network: keras.Model, size: int, multiple: int = 1) -> int:
    """Return how often a network must read a sequence in parts to make of it what it makes whole.

    Whatever its weights are: once if nothing reads backwards, twice if something does, three times
    if that sees what has been read forwards; 0 if it cannot be had so.

    Args:
        network: of sequences.
        size: frames at a time.
        multiple: of which free sides must be multiples.
    """
    rng = np.random.default_rng(0)
    frames = rng.random(_tried_on(network, multiple), "float32")
    # What a degradation appends, such as a mask: some frames are there, and some are not.
    frames[..., network.output_shape[-1] :] = np.resize([1, 0, 1, 1, 0], frames.shape[1])[
        :, None, None, None
    ]
    try:
        twin = keras.models.clone_model(network)
        for weight in twin.weights:  # of one that has learned nothing yet, many are 0
            inputs = np.prod(weight.shape[:-1], dtype=int)
            spread = rng.normal(0.0, inputs**-0.5, weight.shape)
            weight.assign(spread if spread.ndim > 1 else rng.uniform(0.5, 1.0, weight.shape))

        def restored(frames):
            return ops.cast(twin(frames, training=False), "float32")

        whole = ops.convert_to_numpy(restored(frames))
        backwards = directions(twin, multiple)
        for readings in (2, 3) if any(backwards) else (1,):
            found = in_parts(step_of(restored), frames, size, backwards, readings)
            same = found.shape == whole.shape
            if same and np.allclose(found, whole, atol=1e-4 * np.ptp(whole)):
                return readings
    except Exception:  # of copies, and of another number of frames, layers say all sorts of things
        return 0
    return 0


def _tried_on(network, multiple):
    """Return the shape of a small sequence on which a network is tried."""
    time, *sides, channels = network.input_shape[1:]
    free = multiple * math.ceil(16 / multiple)
    return (1, time or FRAMES, *(side or free for side in sides), channels)
