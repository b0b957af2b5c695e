"""Follows a velocity from noise to pictures, freely or bound to what was observed."""

import itertools
import math

from keras import ops

from keras_imgen.checks import FAINTEST
from keras_imgen.inference.priors import compiled_pair, nearest_fit


def followed(velocity, x, times):
    """Return where pictures arrive that move with a velocity, by Heun's method.

    Each step looks at the velocity here and where it would lead, and takes the mean of both.

    Args:
        velocity: function from pictures and a time to the change of pictures in a unit of time.
        x: pictures at the first time.
        times: falling to the last one, at which the velocity is not asked for.

    Source: Karras et al. 2022 (arXiv 2206.00364), algorithm 1.
    """
    for now, then in itertools.pairwise(times):
        here = velocity(x, now)
        there = x + (then - now) * here
        if then > times[-1]:
            there = x + (then - now) * 0.5 * (here + velocity(there, then))
        x = there
    return x


def followed_to_fit(velocity, operator, observed, x, times, draw):
    """Return pictures, drawn among those that, degraded, are the observed ones.

    The velocity tells which picture it leads to. The nearest one that fits what was observed takes
    its place, and some of the noise is drawn anew, as much as keeps all of it white. Where noise is
    all that was added, the observed pictures are a place on the way already: it begins there, and
    nothing has to be fitted.

    Args:
        velocity: as in `followed`, of pictures whose pixels go from -1 to 1, on a turn.
        operator: `degradations.Operator`, of pictures in [0, 1].
        observed: pictures, as they were observed.
        x: noise.
        times: from a quarter of a turn to 0.
        draw: function that returns other noise, in the shape of `x`.

    Returns:
        Tensor of pictures, not clipped to [0, 1].

    Source: Zhu et al. 2023 (arXiv 2305.08995), algorithm 1, but that it trusts the velocity as far
        as Song et al. 2023 (Pseudoinverse-guided diffusion models, ICLR) do; how much is drawn
        anew: Song et al. 2021 (arXiv 2010.02502), equation 16 with eta = 1.
    """
    observed = ops.convert_to_tensor(observed)
    forward, pull = compiled_pair(operator.forward, observed)
    pulled, sigma = pull(observed), 2.0 * max(operator.sigma, FAINTEST)  # from -1 to 1
    noise_alone = bool(ops.all(forward(x) == x))
    if noise_alone:
        times = [time * math.atan(sigma) / times[0] for time in times]
        x = math.cos(times[0]) * (2.0 * observed - 1.0)
    for now, then in itertools.pairwise(times):
        picture = math.cos(now) * x - math.sin(now) * velocity(x, now)
        if not noise_alone:
            # What is not known yet of pixels that are normally distributed is sin(t) wide.
            weight = (sigma / math.sin(now)) ** 2
            picture = 2.0 * nearest_fit(forward, pull, pulled, 0.5 + 0.5 * picture, weight) - 1.0
        noise = (x - math.cos(now) * picture) / math.sin(now)
        anew = math.sin(then) / math.sin(now)
        anew *= math.sqrt(max(0.0, 1.0 - (math.cos(now) / math.cos(then)) ** 2))
        kept = math.sqrt(max(0.0, math.sin(then) ** 2 - anew**2))
        x = math.cos(then) * picture + kept * noise + anew * draw()
    return 0.5 + 0.5 * picture


def guided(velocity, x, time, rows, guidance: float):
    """Return velocities in which the labels count more, or less, than they were learned to.

    Args:
        velocity: function from pictures, a time and rows of labels to velocities.
        x: pictures.
        time: where they are.
        rows: list with the rows of labels, empty without classes.
        guidance: 1 as it was learned, 0 without labels.

    Source: Ho and Salimans 2022 (arXiv 2207.12598), equation 6.
    """
    if guidance == 1.0:
        return velocity(x, time, *rows)
    without = velocity(x, time, *map(ops.zeros_like, rows))
    if guidance == 0.0:
        return without
    return without + guidance * (velocity(x, time, *rows) - without)
