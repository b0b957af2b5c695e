"""Undoes a known degradation with a denoiser, which says what pictures look like."""

import numpy as np
from keras import ops

from keras_imgen import backends
from keras_imgen.checks import FAINTEST

STRENGTH = 0.23  # of the prior, in relation to what was observed
FIRST, LAST = 49.0 / 255.0, 2.0 / 255.0  # by how much answers are taken to be wrong, at least
SEARCHES, CLOSE = 30, 1e-4  # steps to the answer that fits in each pass, and when it does
SMOOTH = 1e-3  # weight of smoothness in the first answer
SMOOTH_CLOSE = 1e-6  # when that is reached: in holes nothing else counts, and it weighs little


def undone(denoise, operator, observed, start, passes: int, levels: tuple[float, float]):
    """Return pictures that a denoiser leaves as they are and that, degraded, are the observed ones.

    Two steps take turns: the nearest pictures that fit what was observed, and what a denoiser makes
    of these, at a noise level that falls from pass to pass.

    Args:
        denoise: function from pictures and a noise level to pictures, all arrays.
        operator: `degradations.Operator`.
        observed: array, `(n, height, width, channels)`.
        start: first answer, the same shape; None for the smoothest that fits.
        passes: how often the denoiser is asked.
        levels: the lowest and the highest level that it knows.

    Returns:
        Array of the same shape, and by how much it differs from what was observed when it is
        degraded again: one standard deviation each.

    Source: Zhang et al. 2021 (arXiv 2008.13751), equations 6 to 9 and algorithm 1; the nearest
        picture that fits, by conjugate gradients (Hestenes and Stiefel 1952).
    """
    observed = ops.convert_to_tensor(observed)
    sigma = max(operator.sigma, FAINTEST)
    forward, pull = compiled_pair(operator.forward, observed)
    pulled = pull(observed)
    if start is None:
        answer = _smoothest(forward, pull, pulled)
    else:
        answer = ops.convert_to_tensor(start, "float32")
    weakest, noisiest = levels
    last = min(max(sigma, LAST, weakest), noisiest)
    first = max(min(FIRST, noisiest), last)
    for level in np.geomspace(last, first, passes)[::-1].clip(last, first):
        weight = STRENGTH * (sigma / level) ** 2
        fits = nearest_fit(forward, pull, pulled, answer, weight)
        answer = ops.convert_to_tensor(denoise(ops.convert_to_numpy(fits), float(level)))
    if operator.sigma < LAST:  # what was observed is true
        answer = nearest_fit(forward, pull, pulled, answer, weight)
    answer = ops.clip(answer, 0.0, 1.0)
    rest = ops.std(forward(answer) - observed, axis=(1, 2, 3))
    return ops.convert_to_numpy(answer), ops.convert_to_numpy(rest)


def with_known(answer, observed, operator):
    """Return answers in which what was observed as it is stands as it was observed."""
    if not operator.keeps:
        return answer
    seen = ops.convert_to_numpy(operator.forward(ops.ones_like(observed)))
    return seen * observed + (1.0 - seen) * answer


def adjoint(forward, like):
    """Return the adjoint of a linear function, a function of pictures `y`.

    It is that for which `sum(forward(x) * y) == sum(x * adjoint(y))`.

    Args:
        forward: linear function of pictures, through which slopes go.
        like: pictures of the shape that it takes.

    Example:
        >>> import numpy as np
        >>> from keras_imgen.degradations import Blur
        >>> from keras_imgen.inference.priors import adjoint
        >>> blur = Blur(1.5).operator().forward
        >>> x, y = np.random.default_rng(0).random((2, 1, 16, 20, 1), "float32")
        >>> bool(np.isclose(np.sum(blur(x) * y), np.sum(x * adjoint(blur, x)(y))))
        True
    """
    zero = ops.zeros_like(ops.convert_to_tensor(like))

    def pull(y):
        wanted = ops.convert_to_tensor(y)
        return backends.input_gradients(lambda x: (forward(x) * wanted, None), zero)[0]

    return pull


def compiled_pair(forward, like):
    """Return a linear function of pictures and its adjoint, compiled: they are called often."""
    return backends.compiled(forward), backends.compiled(adjoint(forward, like))


def nearest_fit(forward, pull, pulled, near, weight):
    """Return the pictures with the smallest `|forward(z) - y|^2 + weight |z - near|^2`."""
    return _conjugate_gradients(
        lambda z: pull(forward(z)) + weight * z, pulled + weight * near, near, SEARCHES
    )


def _smoothest(forward, pull, pulled):
    """Return pictures that fit what was observed and have the smallest slopes."""
    slopes, slope = compiled_pair(_slopes, pulled)
    sides = max(pulled.shape[1:3])
    return _conjugate_gradients(
        lambda z: pull(forward(z)) + SMOOTH * slope(slopes(z)),
        pulled,
        pulled,
        min(sides, 200),
        close=SMOOTH_CLOSE,
    )


def _slopes(x):
    """Return the differences of neighbours, along columns and along rows."""
    down = ops.pad(x[:, 1:] - x[:, :-1], ((0, 0), (0, 1), (0, 0), (0, 0)))
    right = ops.pad(x[:, :, 1:] - x[:, :, :-1], ((0, 0), (0, 0), (0, 1), (0, 0)))
    return ops.concatenate([down, right], axis=-1)


def _conjugate_gradients(function, right, x, steps, close=CLOSE):
    """Solve `function(x) = right` for each picture, `function` being linear and positive."""

    def dot(a, b):
        return ops.sum(a * b, axis=(1, 2, 3), keepdims=True)

    rest = right - function(x)
    way, left = rest, dot(rest, rest)
    enough = close**2 * dot(right, right)
    for _ in range(steps):
        if bool(ops.all(left <= enough)):
            break
        turned = function(way)
        # A picture that has arrived stays, whatever the others still need.
        length = ops.where(left > enough, left / ops.maximum(dot(way, turned), 1e-30), 0.0)
        x, rest = x + length * way, rest - length * turned
        before, left = left, dot(rest, rest)
        way = rest + left / ops.maximum(before, 1e-30) * way
    return x
