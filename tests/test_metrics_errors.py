"""`metrics.ErrorBars`: the share that they cover, on the pictures that they saw and on others."""

import re

import numpy as np
import pytest

from keras_imgen.metrics import ErrorBars

SHAPE = (40, 16, 16, 1)


def answers(seed, shape=SHAPE, tail=None):
    """Return truth, answers that are wrong by a multiple of their spread, and the spread."""
    rng = np.random.default_rng(seed)
    std = rng.uniform(0.005, 0.1, shape)
    clean = rng.uniform(0.0, 1.0, shape)
    wrong = rng.standard_normal(shape) if tail is None else rng.standard_t(tail, shape)
    return clean, clean + 4.0 * std * wrong, std


@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.9, 0.99])
@pytest.mark.parametrize("tail", [None, 3])
def test_they_cover_what_they_promise_on_pictures_that_they_have_not_seen(coverage, tail):
    bars = ErrorBars(coverage).fit(*answers(0, tail=tail))
    # The quantile is estimated from 10,240 values, and the share counted on as many.
    assert bars.covered(*answers(1, tail=tail)) == pytest.approx(coverage, abs=0.015)
    assert bars.covered(*answers(0, tail=tail)) == pytest.approx(coverage, abs=1e-3)


def test_they_hold_on_average_however_few_pixels_they_saw():
    # The promise of conformal prediction: on average over fits, at least the coverage, and at most
    # one value in so many more.
    shares = []
    for seed in range(400):
        clean, restored, std = answers(seed, (1, 3, 7, 1))
        shares.append(
            ErrorBars(0.8).fit(clean, restored, std).covered(*answers(1000, (4, 16, 16, 1)))
        )
    assert 0.8 - 0.01 < np.mean(shares) < 0.8 + 1.0 / 22.0 + 0.01


def test_bars_are_the_spread_scaled_and_never_nothing():
    bars = ErrorBars(0.9).fit(*answers(0))
    assert bars.scale == pytest.approx(4.0 * 1.645, rel=0.03)
    np.testing.assert_allclose(bars(np.full((1, 2, 2, 1), 0.05)), 0.05 * bars.scale, rtol=1e-3)
    assert bars(np.zeros((1, 2, 2, 1))).min() > 0.2 / 255.0  # 8 bits are rounded


def test_only_what_counts_counts():
    clean, restored, std = answers(0)
    holes = np.zeros((1, 16, 16, 1))
    holes[:, 4:12] = 1.0
    kept = np.where(holes, restored, clean)  # outside of the holes, nothing is wrong
    inside = ErrorBars().fit(clean, kept, std, where=holes)
    assert inside.scale == pytest.approx(4.0 * 1.645, rel=0.03)
    assert ErrorBars().fit(clean, kept, std).scale < 0.9 * inside.scale
    assert inside.covered(clean, kept, std, where=holes) == pytest.approx(0.9, abs=1e-3)
    assert inside.covered(clean, kept, std) == pytest.approx(0.95, abs=0.01)


def test_what_cannot_be_is_refused():
    clean, restored, std = answers(0)
    for wrong in (0.3, 1.0, -1, "x", True, None, float("nan")):
        with pytest.raises((TypeError, ValueError), match="`coverage` must be"):
            ErrorBars(wrong)
    bars = ErrorBars()
    with pytest.raises(ValueError, match="no scale yet. Call `fit`"):
        bars(std)
    with pytest.raises(ValueError, match="no scale yet"):
        bars.covered(clean, restored, std)
    assert repr(bars) == "ErrorBars(coverage=0.9): not fitted"
    bars.fit(clean, restored, std)
    assert re.fullmatch(r"ErrorBars\(coverage=0.9\): 6\.\d+ standard deviations", repr(bars))
    with pytest.raises(ValueError, match="finite and not below 0. Received: from nan"):
        bars(std * np.nan)
    bars = ErrorBars()
    unfit = {
        "equal shapes": (clean, restored[:1], std),
        "not below 0": (clean, restored, -std),
        "of shape": (clean, restored, std[:1]),
        r"in \[0, 1\]": (255.0 * clean, restored, std),
        "finite": (clean, np.where(clean > 0.5, np.nan, restored), std),
        "floating point": ((255 * clean).astype("uint8"), restored, std),
        "must broadcast to": (clean, restored, std, np.ones((3, 1))),
        "1 for some pixels": (clean, restored, std, np.zeros((1, 16, 16, 1))),
        "at least 9 pixel values": (clean[:1, :2, :2], restored[:1, :2, :2], std[:1, :2, :2]),
    }
    for said, arguments in unfit.items():
        with pytest.raises(ValueError, match=f"{said}.*Received"):
            ErrorBars().fit(*arguments)
