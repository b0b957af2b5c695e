"""Holes drawn with a brush or a pen: free-form strokes, and lines of text."""

import functools
import math
from collections.abc import Sequence

import keras
import numpy as np
from keras import ops

from keras_imgen.checks import shown, whole_number
from keras_imgen.degradations.base import WithMask, per_picture, strength_range
from keras_imgen.degradations.holes import SHARE


@keras.saving.register_keras_serializable("keras_imgen")
class FreeFormHoles(WithMask):
    """Hide strokes of a brush, as scratches, cracks and a hand with an eraser do.

    Each stroke is a chain of straight lines that change their direction at random. Strokes are
    drawn in relation to the smaller side of the picture, and so thick that they hide exactly the
    share of pixels asked for.

    Args:
        fraction: share of pixels to hide, in [0, 1]; a pair `(low, high)` draws one share per
            picture.
        strokes: number of strokes, at least 1: few thick ones or many thin ones.
        seed: see `Degradation`.

    Source: after Yu et al. 2019 (arXiv 1806.03589), section 3.3, who draw the thickness and take
        the share that comes of it.

    Example:
        >>> import numpy as np
        >>> from keras_imgen.degradations import FreeFormHoles
        >>> observed = FreeFormHoles(0.25, seed=0)(np.ones((8, 64, 64, 1), "float32"))
        >>> float(np.mean(observed[..., -1] == 0))
        0.25
    """

    LINES = 5  # of each stroke
    LENGTHS = (0.05, 0.3)  # of a line, in shorter sides of the picture
    TURN = 0.3 * math.pi  # at most, from line to line
    WIDTHS = (0.6, 1.4)  # of a stroke, in relation to the others

    def __init__(
        self, fraction: float | Sequence[float] = 0.2, strokes: int = 4, *, seed=None, **kwargs
    ):
        super().__init__(seed=seed, **kwargs)
        self.fraction = fraction
        self._low, self._high = strength_range("fraction", fraction, 0.0, 1.0, SHARE)
        self.strokes = whole_number("strokes", strokes, 1, "It is the number of strokes.")

    def known(self, shape, seeds):
        """Return a mask that is 0 in the pixels nearest to the strokes."""
        *leading, height, width, _ = shape
        fraction = per_picture(shape, self._low, self._high, next(seeds))
        distance = self._distances(leading, height, width, seeds)
        # The share asked for is that of the pixels below the distance of this rank.
        flat = ops.reshape(distance, (*leading, height * width))
        pixels = ops.cast(height * width, "float32")
        rank = ops.cast(ops.round(ops.cast(fraction, "float32") * pixels), "int32")
        rank = ops.reshape(ops.broadcast_to(rank, (*leading, 1, 1, 1)), (*leading, 1))
        end = ops.full((*leading, 1), float("inf"))  # of fraction 1
        ranked = ops.concatenate([ops.sort(flat, axis=-1), end], axis=-1)
        limit = ops.take_along_axis(ranked, rank, axis=-1)
        return (distance >= limit[..., None])[..., None]

    def _distances(self, leading, height, width, seeds):
        """Return the distance of each pixel from the nearest stroke, in widths of that stroke."""
        shape = (*leading, self.strokes)

        def draw(shape, low, high):
            return keras.random.uniform(shape, low, high, seed=next(seeds))

        sides = [ops.cast(side, "float32") for side in (height, width)]
        pixels = [ops.arange(side, dtype="float32") + 0.5 for side in (height, width)]
        rows, columns = pixels[0][:, None], pixels[1]
        y, x = (side * draw(shape, 0.0, 1.0) for side in sides)
        direction = draw(shape, 0.0, 2.0 * math.pi)
        widths = draw(shape, *self.WIDTHS)
        turns = draw((*shape, self.LINES), -self.TURN, self.TURN)
        lengths = draw((*shape, self.LINES), *self.LENGTHS) * ops.minimum(*sides)
        nearest = ops.full((*leading, height, width), float("inf"))
        for line in range(self.LINES):
            direction = direction + turns[..., line]
            across = [ops.sin(direction), ops.cos(direction)]
            for stroke in range(self.strokes):
                # Along the line and beside it, from its beginning.
                part = (..., stroke, None, None)
                dy, dx = rows - y[part], columns - x[part]
                sin, cos = across[0][part], across[1][part]
                beyond = dy * sin + dx * cos
                beyond = beyond - ops.clip(beyond, 0.0, lengths[..., line][part])
                beside = dx * sin - dy * cos
                distance = ops.sqrt(beyond * beyond + beside * beside) / widths[part]
                nearest = ops.minimum(nearest, distance)
            y = y + lengths[..., line] * across[0]
            x = x + lengths[..., line] * across[1]
        return nearest

    def get_config(self):
        """Return the constructor's arguments."""
        return {**super().get_config(), "fraction": self.fraction, "strokes": self.strokes}


@keras.saving.register_keras_serializable("keras_imgen")
class TextOverlay(WithMask):
    """Hide lines of text across the whole picture, as captions and watermarks do.

    Every picture gets another part of the same page, so that letters lie elsewhere each time.

    Args:
        text: what is written, again and again, in letters that Pillow's own font has; an empty text
            hides nothing.
        size: height of the letters in pixels, 6 to 200.
        seed: see `Degradation`.

    Example:
        >>> import numpy as np
        >>> from keras_imgen.degradations import TextOverlay
        >>> observed = TextOverlay("sample", size=12, seed=0)(np.ones((50, 64, 64, 3), "float32"))
        >>> 0.05 < float(np.mean(observed[..., -1] == 0)) < 0.3
        True
    """

    def __init__(self, text: str = "The quick brown fox ", size: int = 16, *, seed=None, **kwargs):
        super().__init__(seed=seed, **kwargs)
        if not isinstance(text, str):
            raise ValueError(f"`text` must be a text. Received: text={shown(text)}.")
        advice = "It is the height of the letters in pixels."
        self.text, self.size = text, whole_number("size", size, 6, advice, 200)

    def known(self, shape, seeds):
        """Return a mask that is 0 in the letters."""
        *leading, height, width, _ = shape
        page = _page(self.text, self.size)
        rows, columns = (
            ops.cast(keras.random.uniform((*leading, 1), 0.0, side, seed=next(seeds)), "int32")
            for side in page.shape
        )
        # The page is followed by itself in every direction.
        rows = ops.mod(rows + ops.arange(height), page.shape[0])
        columns = ops.mod(columns + ops.arange(width), page.shape[1])
        places = rows[..., :, None] * page.shape[1] + columns[..., None, :]
        return ops.take(1.0 - page.ravel(), places)[..., None]

    def get_config(self):
        """Return the constructor's arguments."""
        return {**super().get_config(), "text": self.text, "size": self.size}


@functools.lru_cache(maxsize=16)
def _page(text: str, size: int) -> np.ndarray:
    """Return lines of text as an array of 0 and 1, which fits its own edges."""
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.load_default(size)
    line, height = text.strip() + " ", 2 * size
    width = max(round(font.getlength(line)), 1)
    page = Image.new("1", (width, 2 * height))
    pen = ImageDraw.Draw(page)
    for row, start in ((0, 0), (height, width // 2)):  # letters do not stand below each other
        for x in (start - width, start):
            pen.text((x, row + size // 4), line, fill=1, font=font)
    return np.asarray(page, "float32")
