"""Motion between the frames of a sequence: what moved is found, and brought to its place."""

import itertools

import keras
import numpy as np
from keras import layers, ops

from keras_imgen.networks.layers import LAYOUT
from keras_imgen.networks.recurrent import remember, remembered

WINDOW = 9  # pixels of each level: side of the blocks that are compared, and that move alike
LEVELS = 2  # halvings
FAR, NEAR = 8, 2  # how far is sought at the coarsest level, and at each finer one
TIE = 1e-7  # of ways that fit equally well, the shortest


def motion(first, second):
    """Return how far what each pixel of a picture shows has moved in another picture.

    Blocks around each pixel are compared (block matching), first in small copies of both pictures,
    in which far is near, then in larger ones, around what was found. The last step fits a parabola
    to the errors around the best place, for parts of a pixel.

    Args:
        first: pictures `(n, height, width, channels)`, without much noise.
        second: the same shape.

    Returns:
        Tensor `(n, height, width, 2)`: rows and columns, up to about 36 pixels. What `first` shows
        at a place, `second` shows so far from it.

    Source: coarse to fine: Anandan 1989 (International Journal of Computer Vision 2), section 3.

    Example:
        >>> import numpy as np
        >>> from keras_imgen import load
        >>> from keras_imgen.networks.motion import motion
        >>> first = load("photos", "test").take(1)[:, 40:104, 100:164]
        >>> second = np.roll(first, (3, -7), axis=(1, 2))
        >>> np.round(np.asarray(motion(first, second))[0, 32, 32])
        array([ 3., -7.], dtype=float32)
    """
    pyramid = [(first, second)]
    for _ in range(LEVELS):
        pyramid.append(tuple(_halved(x) for x in pyramid[-1]))
    ways = _best(_errors(*pyramid[-1], FAR), FAR)
    for fine, other in reversed(pyramid[:-1]):
        height, width = ops.shape(fine)[1:3]
        ways = 2.0 * _around(ways, WINDOW)  # what is near moves alike
        ways = ops.repeat(ops.repeat(ways, 2, axis=1), 2, axis=2)[:, :height, :width]
        ways = ways + _best(_errors(fine, seen_at(other, ways), NEAR), NEAR)
    ways = _around(ways, WINDOW)
    return ways + _between(_errors(first, seen_at(second, ways), 1))


def seen_at(pictures, ways):
    """Return what pictures show so far from each pixel, linearly interpolated.

    Args:
        pictures: `(n, height, width, channels)`; beyond their borders the nearest pixel counts.
        ways: rows and columns in pixels, `(n, height, width, 2)`.
    """
    count, height, width, channels = ops.shape(pictures)
    rows = ops.reshape(ops.arange(height, dtype="float32"), (1, -1, 1)) + ways[..., 0]
    columns = ops.reshape(ops.arange(width, dtype="float32"), (1, 1, -1)) + ways[..., 1]
    last_row, last_column = ops.cast(height - 1, "float32"), ops.cast(width - 1, "float32")
    rows, columns = ops.clip(rows, 0.0, last_row), ops.clip(columns, 0.0, last_column)
    top, left = ops.floor(rows), ops.floor(columns)
    bottom, right = ops.minimum(top + 1.0, last_row), ops.minimum(left + 1.0, last_column)
    down, across = (rows - top)[..., None], (columns - left)[..., None]
    pixels = ops.reshape(pictures, (count, height * width, channels))

    def at(row, column):
        place = ops.cast(row, "int32") * width + ops.cast(column, "int32")
        found = ops.take_along_axis(pixels, ops.reshape(place, (count, -1, 1)), axis=1)
        return ops.reshape(found, (count, height, width, channels))

    upper = (1.0 - across) * at(top, left) + across * at(top, right)
    lower = (1.0 - across) * at(bottom, left) + across * at(bottom, right)
    return (1.0 - down) * upper + down * lower


def latest(frames, arrived, before=None):
    """Return for each frame the last one before it that arrived, and how long ago that was.

    Args:
        frames: `(n, time, height, width, channels)`.
        arrived: 1 for frames that arrived, 0 for lost ones, `(n, time)`.
        before: what this function returned as its last result for the frames before; by default
            there were none.

    Returns:
        Frames; how many frames ago each was, `(n, time)`, 0 where there is none, and the frame is
        black; and what to pass as `before` with the frames that follow.
    """
    frames, arrived = ops.convert_to_tensor(frames), ops.convert_to_tensor(arrived)
    time = ops.shape(frames)[1]
    earlier, ago = (0.0 * frames[:, 0], 0.0 * arrived[:, :1]) if before is None else before
    frames = ops.concatenate([earlier[:, None], frames], axis=1)
    now = ops.arange(time + 1, dtype="float32")
    past = ops.cast(now[None, :-1] < now[:, None], "float32")  # of each time, which are before it
    place = ops.max(past * arrived[:, None] * now[1:], axis=-1)  # among these frames, 1 the first
    ages = ops.where(place > 0.0, now + 1.0 - place, ops.where(ago > 0.0, ago + now, 0.0))
    found = ops.take_along_axis(frames, ops.cast(place, "int32")[..., None, None, None], axis=1)
    return found[:, :-1], ages[:, :-1], [found[:, -1], ages[:, -1:]]


@keras.saving.register_keras_serializable("keras_imgen")
class AlignNeighbors(layers.Layer):
    """Bring the frames before and behind each frame to its place, and guess the lost frames.

    What moves is found between frames that arrived; a lost frame is guessed from both sides, each
    moved so far as the time that has passed. Nothing is learned: a network that comes after it
    begins with this guess, and learns what is wrong with it.

    Takes `[guide, observed]`: frames without noise, in which motion is found, and the observed ones
    with a mask behind them, 0 all over a frame that is lost. A frame of which anything is missing
    is taken for lost: there is no motion to be found in holes.

    Output shape:
        `(batch, time, height, width, 6 * channels + 5)`: the guess (the guide where a frame
        arrived), the observed frame and its mask, guide and observed frame of the nearest one
        before, moved to the place, of the nearest one behind, by how much both differ from what
        they should show, and whether there is one before, and one behind. Where there is none, the
        frame itself stands in for it.

    Source: guesses from both sides: Jiang et al. 2018 (arXiv 1712.00080), equation 4, with block
        matching in place of a network.
    """

    def __init__(self, **kwargs):
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)

    def call(self, inputs):
        """Return guesses, and what they come from."""
        guide, observed = inputs
        channels = guide.shape[-1]
        mask = observed[..., -1:]
        arrived = ops.cast(ops.min(mask, axis=(2, 3, 4)) > 0.5, "float32")
        shown = ops.concatenate([guide, observed[..., :-1]], axis=-1)
        sides = []
        for backwards in (False, True):
            step = -1 if backwards else 1
            found, ago, after = latest(shown[:, ::step], arrived[:, ::step], remembered())
            remember(after, backwards)
            sides.append((found[:, ::step], ago[:, ::step]))
        (before, since), (behind, until) = sides
        lead = ops.shape(guide)[:2]
        before, behind, now = (
            ops.reshape(x, (-1, *ops.shape(x)[2:])) for x in (before, behind, shown)
        )
        since, until, arrived = (ops.reshape(x, (-1, 1, 1, 1)) for x in (since, until, arrived))
        here, has_before, has_behind = arrived > 0.0, since > 0.0, until > 0.0
        share = since / ops.maximum(since + until, 1.0)  # of the time between both sides
        both = ops.logical_and(has_before, has_behind)

        def moved(near, far, part):
            """Return one side at the place of the frame, or as it is if that cannot be found."""
            first, second = ops.where(here, now, near), ops.where(here, near, far)
            ways = motion(first[..., :channels], second[..., :channels])
            # No pixel of a lost frame knows whence it came: what moved past it is asked.
            back = -part * seen_at(ways, -part * ways)
            return seen_at(near, ops.where(here, ways, ops.where(both, back, 0.0)))

        sides = moved(before, behind, share), moved(behind, before, 1.0 - share)
        before = ops.where(has_before, sides[0], ops.where(here, now, sides[1]))
        behind = ops.where(has_behind, sides[1], ops.where(here, now, sides[0]))
        guess = (1.0 - share) * before + share * behind
        guess = ops.where(here, now, guess)[..., :channels]

        def differs(side, other):
            error = ops.abs(ops.where(here, now, other) - side)[..., :channels]
            return _around(ops.mean(error, axis=-1, keepdims=True), 5)

        flags = [ops.cast(x, "float32") + 0.0 * guess[..., :1] for x in (has_before, has_behind)]
        observed = ops.reshape(observed, (-1, *ops.shape(observed)[2:]))
        known = [guess, observed, before, behind, differs(before, behind), differs(behind, before)]
        known = ops.concatenate([*known, *flags], axis=-1)
        return ops.reshape(known, (*lead, *ops.shape(known)[1:]))

    def compute_output_shape(self, input_shapes):
        """Shape of the guide, with the channels of all of it."""
        *shape, channels = input_shapes[0]
        return (*shape, 6 * channels + 5)


def _halved(x):
    return ops.average_pool(x, 2, 2, padding="same", data_format=LAYOUT)


def _around(x, size):
    """Return means over the squares around each pixel."""
    for sides in ((size, 1), (1, size)):  # one after the other is quicker
        x = ops.average_pool(x, sides, 1, padding="same", data_format=LAYOUT)
    return x


def _errors(first, second, reach):
    """Return squared errors of blocks for each way of at most so many pixels, in the last axis."""
    for axis in (1, 2):  # beyond the borders the nearest pixel counts
        length = ops.shape(second)[axis]
        places = ops.clip(ops.arange(-reach, length + reach), 0, length - 1)
        second = ops.take(second, places, axis=axis)
    size = 2 * reach + 1
    moved = ops.image.extract_patches(second, size, 1, padding="valid", data_format=LAYOUT)
    shape = (*ops.shape(first)[:3], size**2, first.shape[-1])
    errors = ops.mean(ops.square(ops.reshape(moved, shape) - first[..., None, :]), axis=-1)
    return _around(errors, WINDOW)


def _best(errors, reach):
    """Return the way with the smallest error at each pixel."""
    ways = np.array(list(itertools.product(range(-reach, reach + 1), repeat=2)), "float32")
    errors = errors + ops.convert_to_tensor(TIE * np.hypot(*ways.T), "float32")
    return ops.take(ops.convert_to_tensor(ways), ops.argmin(errors, axis=-1), axis=0)


def _between(errors):
    """Return where between the pixels the errors of a neighbourhood of 3 x 3 are smallest."""

    def lowest(less, here, more):
        curvature = ops.maximum(less - 2.0 * here + more, TIE)
        return ops.clip(0.5 * (less - more) / curvature, -0.5, 0.5)

    up, left, here, right, down = (errors[..., place] for place in (1, 3, 4, 5, 7))
    return ops.stack([lowest(up, here, down), lowest(left, here, right)], axis=-1)
