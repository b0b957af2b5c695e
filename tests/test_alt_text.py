"""Figures say in words what their titles, axes and legends say."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from scripts import load_script

alt_text = load_script(Path(__file__).parents[1] / "tutorials" / "alt_text.py")


@pytest.fixture
def axes():
    figure, axes = plt.subplots(1, 2)
    yield axes
    plt.close(figure)


def test_pictures_are_named_by_their_titles_and_colour_bars_are_none(axes):
    for place, title in zip(axes, ("noisy, $14.8$ dB", "restored"), strict=True):
        place.set_title(title)
        shown = place.imshow(np.zeros((4, 4)))
    axes[0].figure.colorbar(shown, ax=axes[1])
    axes[0].figure.suptitle("Noise and its end.")
    text = alt_text.describe(axes[0].figure)
    assert text == "Noise and its end. 2 pictures: noisy, 14.8 dB; restored."


def test_a_chart_says_what_stands_against_what_and_how_far(axes):
    axes[0].plot([1, 3], [10, 20], label="training")
    axes[0].plot([1, 3], [10, 25], label="validation")
    axes[0].set(xlabel="epoch", ylabel="loss", xlim=(1, 3), ylim=(25, 0), title="overfitting")
    axes[0].legend()
    text = alt_text.describe(axes[0].figure)  # the axes without anything in them are left out
    assert text == (
        "Curves, overfitting; upwards loss, 0 to 25; to the right epoch, 1 to 3; "
        "shown: training, validation."
    )


@pytest.mark.parametrize(("draw", "kind"), [("bar", "Bars"), ("scatter", "Points")])
def test_bars_and_points_are_no_curves(axes, draw, kind):
    getattr(axes[0], draw)([1, 2], [3, 4])
    assert alt_text.describe(axes[0].figure) == f"{kind}."


def test_many_titles_end_at_a_word(axes):
    axes[0].figure.suptitle("longer " * 200)
    text = alt_text.describe(axes[0].figure)
    assert len(text) <= alt_text.LONGEST
    assert text.endswith("longer ...")
