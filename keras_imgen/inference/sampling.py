"""Follows a velocity from noise to pictures."""

import itertools


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
