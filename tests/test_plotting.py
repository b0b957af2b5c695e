"""Plotting: every picture at its place, with its own grey levels, and no state left behind."""

import io

import keras
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from keras_imgen.data import to_uint8
from keras_imgen.degradations import AdditiveNoise, Compose, MissingFrames, MissingPixels
from keras_imgen.metrics import psnr
from keras_imgen.plotting import (
    image_grid,
    plot_before_after,
    plot_distances,
    plot_history,
    plot_images,
    plot_neighbors,
    plot_over_time,
    plot_sequence,
    save_gif,
    save_grid,
    side_by_side,
)
from keras_imgen.plotting.figures import figure_pixels, psnr_text


@pytest.fixture(autouse=True)
def no_state_of_pyplot():
    """Fail if a function opens a figure of pyplot's, or changes its settings."""
    import matplotlib.pyplot as plt

    settings = dict(plt.rcParams)
    yield
    assert plt.get_fignums() == []
    assert dict(plt.rcParams) == settings


def random_pictures(count=7, channels=1):
    return np.random.default_rng(0).random((count, 12, 20, channels), "float32")


# Grids


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("padding", [0, 1, 3])
@pytest.mark.parametrize(
    ("count", "columns", "rows_and_columns"),
    [(7, None, (3, 3)), (7, 4, (2, 4)), (7, 1, (7, 1)), (7, 9, (1, 9)), (1, None, (1, 1))],
)
def test_every_picture_has_its_place(count, columns, rows_and_columns, padding, channels):
    pictures = random_pictures(count, channels)
    grid = image_grid(pictures, columns, padding)
    rows, columns = rows_and_columns
    down, right = 12 + padding, 20 + padding
    assert grid.shape == (rows * down - padding, columns * right - padding, channels)
    assert grid.dtype == np.float32
    ground = np.ones(grid.shape[:2], bool)
    for i, picture in enumerate(pictures):
        top, left = i // columns * down, i % columns * right
        np.testing.assert_array_equal(grid[top : top + 12, left : left + 20], picture)
        ground[top : top + 12, left : left + 20] = False
    assert np.all(grid[ground] == 1.0)


def test_grids_clip_and_do_not_change_what_they_show():
    pictures = np.array([-0.2, 0.5, 1.3], "float32").reshape(3, 1, 1, 1)
    assert image_grid(pictures, 3, padding=0).ravel().tolist() == [0.0, 0.5, 1.0]
    assert pictures.ravel()[0] == np.float32(-0.2)


def test_tensors_are_shown_too():
    pictures = keras.ops.convert_to_tensor(random_pictures())
    np.testing.assert_array_equal(image_grid(pictures), image_grid(random_pictures()))


@pytest.mark.parametrize(
    ("pictures", "advice"),
    [
        (np.zeros((3, 12, 20)), r"shape \(n, height, width, channels\) with 1 or 3 channels"),
        (np.zeros((12, 20, 1)), r"Received: shape=\(12, 20, 1\)"),
        (np.zeros((3, 12, 20, 2)), "with 1 or 3 channels"),
        (np.zeros((0, 12, 20, 1)), "be at least one"),
        (np.zeros((3, 12, 20, 1), "uint8"), "dtype=uint8. .*keras_imgen.data.to_float"),
        (np.zeros((3, 12, 20, 1), int), "dtype=int64"),
        (np.zeros((3, 12, 20, 1), str), "dtype=<U1"),
        (np.zeros((3, 12, 0, 1)), "be at least one"),
        ([np.zeros((8, 9, 1)), np.zeros((9, 8, 1))], "a list of different shapes"),
        (np.full((3, 12, 20, 1), 200.0), "from 200 to 200. Divide pictures in .* by 255"),
        (np.full((3, 12, 20, 1), np.nan), "from nan to nan"),
    ],
)
def test_what_is_no_batch_of_pictures_is_refused(pictures, advice):
    for function in (image_grid, plot_images):
        with pytest.raises(ValueError, match=advice):
            function(pictures)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *[("columns", value) for value in (0, -1, 1.5, "x", float("nan"), True)],
        *[("padding", value) for value in (-1, 0.5, None, (1, 2))],
        *[("scale", value) for value in (0, 1.5, "", None, {}, float("inf"))],
        *[("seconds", value) for value in (-1, "x", None, 10**12, float("nan"), {})],
    ],
)
def test_options_are_explained(option, value, tmp_path):
    write, name = (save_gif, "a.gif") if option == "seconds" else (save_grid, "a.png")
    with pytest.raises(ValueError, match=f"`{option}` must be .*Received: {option}="):
        write(tmp_path / name, random_pictures(), **{option: value})
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("option", ["columns", "padding", "scale"])
def test_pictures_too_large_for_any_memory_are_refused(option, tmp_path):
    with pytest.raises(ValueError, match=r"may have 268,435,456 pixels. Rec.* would make it"):
        save_grid(tmp_path / "a.png", random_pictures(), **{option: 10**12})


@pytest.mark.parametrize("path", [None, 3, b"a.png", ["a.png"]])
def test_what_is_no_path_is_refused(path):
    for write in (save_grid, save_gif):
        with pytest.raises(TypeError, match="`path` must be a path, .* Received: path="):
            write(path, random_pictures())


@pytest.mark.parametrize("path", ["", ".", "grid", "grid.txt", "grid.keras"])
def test_the_ending_says_the_kind_of_file(path):
    for write in (save_grid, save_gif):
        with pytest.raises(ValueError, match=r"`path` must end in \..* Received: path="):
            write(path, random_pictures())


@pytest.mark.parametrize("frames", [[], None, 0.5, [np.zeros((8, 9, 1)), np.zeros((9, 8, 1))]])
def test_frames_of_a_gif_are_checked(frames, tmp_path):
    with pytest.raises(ValueError, match="Pictures must .*Received"):
        save_gif(tmp_path / "new.gif", frames)


# Files


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("scale", [1, 3])
def test_files_hold_exactly_the_grid(tmp_path, channels, scale):
    pictures = random_pictures(5, channels)
    path = save_grid(tmp_path / "new" / "folder" / "grid.png", pictures, 2, scale=scale)
    assert path == tmp_path / "new" / "folder" / "grid.png"
    with Image.open(path) as image:
        assert image.mode == ("L" if channels == 1 else "RGB")
        pixels = np.asarray(image).reshape(image.height, image.width, channels)
    expected = to_uint8(image_grid(pictures, 2))
    np.testing.assert_array_equal(pixels[::scale, ::scale], expected)
    np.testing.assert_array_equal(pixels, expected.repeat(scale, 0).repeat(scale, 1))


def test_files_are_not_stretched_in_contrast(tmp_path):
    middle = np.full((4, 12, 20, 1), 128 / 255, "float32")
    path = save_grid(str(tmp_path / "grid.png"), middle, padding=0)
    with Image.open(path) as image:
        assert image.getextrema() == (128, 128)


# Figures


def shown(ax):
    """Return the picture in axes as it is drawn: its colours in 8 bits."""
    (image,) = ax.images
    return image.to_rgba(image.get_array(), bytes=True)[..., :3]


def colours(pictures):
    """Return pictures in 8 bits, grey ones as equal parts of red, green and blue."""
    return np.broadcast_to(to_uint8(pictures), (*pictures.shape[:-1], 3))


@pytest.mark.parametrize("channels", [1, 3])
def test_axes_show_the_grid_with_its_own_grey_levels(channels):
    pictures = 0.4 + 0.2 * random_pictures(5, channels)  # a small part of the range
    ax = plot_images(pictures, 2, title="five pictures")
    assert ax.get_title() == "five pictures"
    np.testing.assert_array_equal(shown(ax), colours(image_grid(pictures, 2)))


def test_a_figure_shows_middle_grey_as_middle_grey():
    ax = plot_images(np.full((1, 12, 20, 1), 0.5, "float32"))
    pixels = figure_pixels(ax.figure)
    height, width, _ = pixels.shape
    assert pixels.dtype == np.uint8
    assert pixels[height // 2, width // 2].tolist() == [128] * 3  # of 127.5


def test_noise_looks_as_strong_as_it_is():
    """Enlarged by 1.6, a picture keeps the contrast of its pixels: nothing is smoothed."""
    noise = np.random.default_rng(0).normal(0.5, 0.1, (1, 128, 128, 1)).astype("float32")
    ax = plot_images(noise, ax=Figure(figsize=(2.6, 2.6), dpi=100).subplots())
    pixels = figure_pixels(ax.figure)[..., 0] / 255
    left, bottom, right, top = ax.get_window_extent().extents.round().astype(int)
    inside = pixels[len(pixels) - top : len(pixels) - bottom, left:right][4:-4, 4:-4]
    assert 1.3 < len(inside) / 128 < 1.9
    assert inside.std() == pytest.approx(0.1, abs=0.005)


def test_given_axes_are_drawn_into():
    from matplotlib.figure import Figure

    first, second = Figure().subplots(1, 2)
    assert plot_images(random_pictures(), ax=second) is second
    assert len(second.images) == 1
    assert not first.images


def titles(figure):
    return [ax.get_title() for ax in figure.axes]


def test_before_and_after_with_the_figures_of_merit():
    clean = np.full((2, 12, 20, 1), 0.5, "float32")
    observed = np.concatenate([clean + 0.1, np.ones_like(clean)], axis=-1)  # with a mask
    restored = clean + np.array([0.01, 0.001], "float32").reshape(2, 1, 1, 1)
    figure = plot_before_after(observed, restored, clean)
    assert titles(figure) == [
        "observed · 20.0 dB", "restored · 40.0 dB", "clean",
        "observed · 20.0 dB", "restored · 60.0 dB", "clean",
    ]  # fmt: skip
    for ax, level in zip(figure.axes, (0.6, 0.51, 0.5, 0.6, 0.501, 0.5), strict=True):
        np.testing.assert_array_equal(shown(ax), colours(np.full((12, 20, 1), level)))


def test_columns_have_names_of_their_own():
    clean = random_pictures(1, 3)
    figure = plot_before_after(clean, clean, clean, titles=["noisy", "median", "original"])
    assert titles(figure) == ["noisy · 100.0 dB", "median · 100.0 dB", "original"]


def test_the_figure_of_merit_is_of_what_is_shown():
    clean = np.ones((1, 12, 20, 1), "float32")
    assert psnr_text(clean[0], clean[0] + 0.5) == "100.0 dB"  # clipped to white
    assert psnr_text(clean[0], clean[0] - 0.1) == "20.0 dB"


@pytest.mark.parametrize("channels", [1, 3])
def test_a_sequence_is_a_strip_of_frames(channels):
    clean = np.random.default_rng(0).random((2, 4, 12, 20, channels), "float32")
    observed = np.concatenate([0.5 * clean, np.ones((2, 4, 12, 20, 1), "float32")], axis=-1)
    restored = np.clip(clean, 0.1, 0.9)
    figure = plot_sequence(observed, restored, clean, index=1)
    values = [
        np.mean(-10 * np.log10(np.mean((clean[1] - other) ** 2, axis=(1, 2, 3))))
        for other in (0.5 * clean[1], restored[1])
    ]
    observed_title, restored_title = (f"{value:.1f} dB" for value in values)
    expected = [f"observed · {observed_title}", f"restored · {restored_title}", "clean"]
    assert titles(figure) == expected
    for ax, frames in zip(figure.axes, (0.5 * clean[1], restored[1], clean[1]), strict=True):
        np.testing.assert_array_equal(shown(ax), colours(image_grid(frames, 4)))


def films(channels=1, count=2, length=4):
    rng = np.random.default_rng(0)
    return rng.uniform(0.4, 0.6, (count, length, 12, 20, channels)).astype("float32")


def framed(ax):
    """Return the numbers of the frames of 20 pixels around which a strip has a line."""
    boxes = [patch.get_bbox() for patch in ax.patches]
    assert all((box.width, box.height) == (22, 14) for box in boxes)  # within the gaps of 2
    assert all(box.y0 == -1.5 for box in boxes)
    return [(box.x0 + 1.5) / 22 for box in boxes]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    "damage",
    [
        MissingFrames(2, seed=1),
        Compose([AdditiveNoise((0.1, 0.3), append_level=0.5, seed=0), MissingFrames(2, seed=1)]),
        Compose([MissingPixels(0.5, seed=0), MissingFrames(2, seed=1)]),
    ],
    ids=["frames", "noise and frames", "pixels and frames"],
)
def test_lost_frames_are_framed(damage, channels):
    clean = films(channels, length=6)
    observed = keras.ops.convert_to_numpy(damage(clean))
    for index in (0, 1):
        figure = plot_sequence(observed, clean, clean, index)
        lost = np.flatnonzero(observed[index, ..., -1].max(axis=(1, 2)) == 0).tolist()
        assert len(lost) == 2
        assert [framed(ax) for ax in figure.axes] == [lost, lost, []]
        assert titles(figure)[0].endswith("dB · 2 of 6 frames lost (red)")
        assert "lost" not in "".join(titles(figure)[1:])
        # What is in the frames is shown as ever.
        for ax, film in zip(
            figure.axes, (observed[index, ..., :channels], clean[index]), strict=False
        ):
            np.testing.assert_array_equal(shown(ax), colours(image_grid(film, 6)))


def test_lines_around_lost_frames_are_red_and_leave_grey_frames_grey():
    clean = np.full((1, 3, 12, 20, 1), 0.5, "float32")
    observed = np.concatenate([clean, np.ones_like(clean)], axis=-1)
    observed[:, 1] = 0.0
    pixels = figure_pixels(plot_sequence(observed, clean, clean)).astype(int)
    is_red = (pixels[..., 0] > 180) & (pixels[..., 1] < 80) & (pixels[..., 2] < 80)
    columns = np.flatnonzero(is_red.any(axis=0)) / pixels.shape[1]
    assert 0.3 < columns.min() < 0.36
    assert 0.64 < columns.max() < 0.7
    grey = np.all(pixels == 128, axis=-1)
    # Three strips of three frames, without the lost one: nearly all of their area is middle grey.
    width = 1000 * 20 / 66
    assert grey.sum() == pytest.approx(8 * width * width * 12 / 20, rel=0.1)


@pytest.mark.parametrize(
    "extra",
    [
        np.zeros((1, 4, 12, 20, 0)),  # nothing
        np.zeros((1, 4, 12, 20, 1)),  # a level that is not given
        np.broadcast_to(np.array([0.0, 0.1, 0.0, 0.1])[:, None, None, None], (1, 4, 12, 20, 1)),
        (np.arange(20) % 2)[:, None] * np.ones((1, 4, 12, 20, 1)),  # holes in all frames
    ],
    ids=["nothing", "level 0", "level", "holes"],
)
def test_frames_that_are_not_lost_are_not_framed(extra):
    clean = films(count=1)
    figure = plot_sequence(np.concatenate([clean, extra], axis=-1), clean, clean)
    assert not any(ax.patches for ax in figure.axes)
    assert titles(figure) == ["observed · 100.0 dB", "restored · 100.0 dB", "clean"]


@pytest.mark.parametrize("plot", [plot_before_after, plot_sequence])
def test_pictures_and_sequences_are_not_confused(plot):
    wrong = random_pictures(2) if plot is plot_sequence else random_pictures(2)[None]
    with pytest.raises(ValueError, match=r"Pictures must have shape \(n, "):
        plot(wrong, wrong, wrong)


# Curves


HISTORY = {
    "loss": [3.0, 2.0, 1.0],
    "val_loss": [4.0, 3.0, 2.5],
    "psnr": [20.0, 25.0, 27.0],
    "learning_rate": [0.1, 0.1, 0.1],
}


def curves(ax):
    return {line.get_label(): line.get_xydata().tolist() for line in ax.get_lines()}


def test_a_log_and_its_validation_share_a_panel():
    figure = plot_history(HISTORY)
    assert titles(figure) == ["loss", "psnr"]
    loss, psnr = map(curves, figure.axes)
    assert loss == {
        "training": [[1, 3.0], [2, 2.0], [3, 1.0]],
        "validation": [[1, 4.0], [2, 3.0], [3, 2.5]],
    }
    assert psnr == {"training": [[1, 20.0], [2, 25.0], [3, 27.0]]}


def test_all_curves_go_into_given_axes():
    from matplotlib.figure import Figure

    ax = Figure().subplots()
    assert plot_history(HISTORY, ax) is ax
    assert sorted(curves(ax)) == ["loss", "psnr", "val_loss"]


def test_a_resumed_training_is_drawn_at_its_own_epochs():
    history = keras.callbacks.History()
    history.history, history.epoch = {"loss": [2.0, 1.0]}, [5, 6]
    (ax,) = plot_history(history).axes
    assert curves(ax)["training"] == [[6, 2.0], [7, 1.0]]


@pytest.mark.parametrize("empty", [{}, {"learning_rate": [0.1]}])
def test_a_history_without_logs_is_explained(empty):
    with pytest.raises(ValueError, match="`history` holds no log to draw"):
        plot_history(empty)


def test_the_figures_of_each_frame_are_drawn_over_time():
    clean = films(channels=3)[0]
    mask = np.array([1.0, 0.0, 1.0, 0.0], "float32")[:, None, None, None] * np.ones((1, 12, 20, 1))
    observed = np.concatenate([clean * mask + 0.1, mask], axis=-1).astype("float32")
    results = {"observed": observed, "copied": np.roll(clean, 1, axis=0)}
    ax = plot_over_time(clean, results, mask[:, 0, 0, 0] == 0)
    (first, second), (legend,) = ax.get_lines(), [ax.get_legend()]
    for line, film in ((first, observed[..., :3]), (second, results["copied"])):
        assert line.get_xdata().tolist() == [1, 2, 3, 4]
        np.testing.assert_allclose(line.get_ydata(), psnr(clean, film, clip=True), atol=1e-4)
    assert [text.get_text() for text in legend.get_texts()] == ["observed", "copied", "lost"]
    spans = [patch.get_bbox() for patch in ax.patches]
    assert [(span.x0, span.x1) for span in spans] == [(1.5, 2.5), (3.5, 4.5)]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("frame", "PSNR in dB")


@pytest.mark.parametrize("count", [1, 2, 5])
def test_the_legend_hides_no_frame_and_nothing_is_cut_off(count):
    clean = films()[0]
    names = [f"restored in way {number}" for number in range(count)]
    ax = plot_over_time(clean, dict.fromkeys(names, clean), np.ones(len(clean), bool))
    figure_pixels(ax.figure)  # lays it out
    legend, label = ax.get_legend().get_window_extent(), ax.xaxis.label.get_window_extent()
    assert legend.y1 < label.y0 < label.y1 < ax.get_window_extent().y0
    whole = ax.figure.bbox
    assert whole.x0 < legend.x0 < legend.x1 < whole.x1
    assert legend.y0 > whole.y0


def test_one_result_needs_no_legend():
    clean = films(length=1)[0]
    ax = plot_over_time(clean, clean)
    assert ax.get_legend() is None
    assert curves(ax) == {"restored": [[1, 100.0]]}
    assert plot_over_time(clean, {"again": clean - 0.1}, ax=ax) is ax
    assert len(ax.get_lines()) == 2


@pytest.mark.parametrize(
    ("restored", "lost", "advice"),
    [
        (films()[0], [True], r"each of the 4 frames. Received: shape=\(1,\), dtype=bool"),
        (films()[0], [0, 1, 0, 1], r"dtype=int64. Of an observed .* np.all\(observed"),
        (films()[0], "x", "True or False"),
        (films(), None, "equal shapes"),
        (films()[0][:3], None, "equal shapes"),
        ({}, None, "a dict of at least one. Received: restored={}"),
        ({"none": None}, None, "`restored` must be pictures of shape"),
        (255 * films()[0], None, "by 255"),
    ],
)
def test_what_cannot_be_drawn_over_time_is_refused(restored, lost, advice):
    with pytest.raises(ValueError, match=advice):
        plot_over_time(films()[0], restored, lost)


# Films


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("padding", [0, 1, 3])
def test_films_stand_side_by_side(channels, padding, tmp_path):
    one, other = films(channels)
    narrow = other[:, :, :7]
    joined = side_by_side(one, narrow, other - 1.0, padding=padding)
    assert joined.shape == (4, 12, 47 + 2 * padding, channels)
    assert joined.dtype == np.float32
    np.testing.assert_array_equal(joined[:, :, :20], one)
    np.testing.assert_array_equal(joined[:, :, 20 : 20 + padding], 1.0)
    np.testing.assert_array_equal(joined[:, :, 20 + padding :][:, :, :7], narrow)
    np.testing.assert_array_equal(joined[:, :, -20:], 0.0)  # clipped
    np.testing.assert_array_equal(side_by_side(one), one)
    with Image.open(save_gif(tmp_path / "film.gif", joined)) as gif:
        assert (gif.n_frames, gif.size) == (4, (47 + 2 * padding, 12))


@pytest.mark.parametrize(
    ("given", "options", "advice"),
    [
        ((), {}, r"at least one, .* Received: shapes \[\]"),
        ((films()[0], films()[0][1:]), {}, r"equal in length.*\(4, 12, 20, 1\), \(3, 12, 20, 1\)"),
        ((films()[0], films(3)[0]), {}, "equal in length, height and channels"),
        ((films()[0], films()[0][:, 1:]), {}, "equal in length, height and channels"),
        ((films(),), {}, r"must have shape \(n, height, width, channels\)"),
        ((films()[0],), {"padding": -1}, "padding=-1"),
        ((films()[0],) * 2, {"padding": 10**12}, "may have 268,435,456 pixels"),
    ],
)
def test_films_that_do_not_fit_are_refused(given, options, advice):
    with pytest.raises(ValueError, match=advice):
        side_by_side(*given, **options)


# Notebooks


@pytest.mark.parametrize(
    "draw",
    [
        lambda: plot_images(random_pictures()),
        lambda: plot_history(HISTORY),
        lambda: plot_before_after(*[random_pictures(2)] * 3),
        lambda: plot_sequence(*[random_pictures()[None]] * 3),
        lambda: plot_over_time(films()[0], films()[1]),
    ],
)
def test_a_notebook_shows_what_a_cell_ends_with(draw):
    formatters = pytest.importorskip("IPython.core.formatters")
    drawn = draw()
    data, _ = formatters.DisplayFormatter().format(drawn)
    with Image.open(io.BytesIO(data["image/png"])) as image:
        height, width, _ = figure_pixels(drawn.figure).shape
        assert image.size == (width, height)


# Neighbours


@pytest.mark.parametrize("k", [None, 1, 2])
def test_neighbors_are_drawn_below_their_pictures(k):
    pictures = random_pictures(4)
    nearest = random_pictures(8)[::-1][: 4 * (k or 1)].reshape(4, *([k] if k else []), 12, 20, 1)
    above, below = plot_neighbors(pictures, nearest, distances=[0.1, 0.4, 0.2, 0.3]).axes
    assert (above.get_title(), below.get_title()) == (
        "pictures",
        "the nearest, at 0.100 to 0.400",
    )
    rows = [nearest] if k is None else [nearest[:, i] for i in range(k)]
    for ax, expected in ((above, image_grid(pictures, 4)), (below, image_grid([*rows[0]], 4))):
        drawn = np.asarray(ax.images[0].get_array())[..., :1]
        np.testing.assert_array_equal(drawn[:12], to_uint8(expected))
    drawn = np.asarray(below.images[0].get_array())[..., :1]
    np.testing.assert_array_equal(drawn[-12:], to_uint8(image_grid([*rows[-1]], 4)))


def test_pictures_without_their_neighbors_are_refused():
    with pytest.raises(ValueError, match=r"its own shape. Received: .*\(4, .*\(3, .*indices"):
        plot_neighbors(random_pictures(4), random_pictures(3))


def test_distances_are_drawn_as_shares_in_equal_bins():
    rng = np.random.default_rng(0)
    ax = plot_distances(rng.random(50), 2 * rng.random(400), threshold=0.1)
    samples, held_out = ax.containers
    for bars in (samples, held_out):
        assert sum(bar.get_height() for bar in bars) == pytest.approx(1.0)
    assert [bar.get_x() for bar in samples] == [bar.get_x() for bar in held_out]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "samples",
        "held-out pictures",
        "threshold",
    ]
    assert plot_distances([0.1], [0.2], ax=ax) is ax


@pytest.mark.parametrize("values", [[], [0.1, float("nan")]])
def test_distances_must_be_numbers(values):
    with pytest.raises(ValueError, match="distances of held-out pictures must be finite"):
        plot_distances([0.1], values)
