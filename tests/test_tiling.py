"""Tiles: a large picture restored in parts is the picture restored whole."""

import keras
import numpy as np
import pytest

from keras_imgen import Restorer, degradations, networks
from keras_imgen.tiling import View, tiles, view_of

NETWORKS = {
    "dncnn": lambda **more: networks.dncnn(depth=5, filters=4, **more),
    "dncnn of blocks": lambda **more: networks.dncnn(depth=4, filters=4, block_size=2, **more),
    "drunet": lambda **more: networks.drunet(filters=(4, 6, 8), num_blocks=1, block_size=2, **more),
    "unet": lambda **more: networks.unet(depth=2, filters=4, **more),
    "gated unet": lambda **more: networks.unet(depth=2, filters=4, convolution="gated", **more),
    "transposed unet": lambda **more: networks.unet(
        depth=2, filters=4, upsampling="transposed", **more
    ),
}
OF_HOLES = {
    "partial unet": lambda **more: networks.unet(depth=2, filters=4, convolution="partial", **more),
    "drunet of holes": lambda **more: networks.drunet(
        filters=(4, 6), num_blocks=1, fill_holes=True, **more
    ),
}


def positive(network):
    """Let all pixels that a network can see count, so that no ReLU hides a path."""
    rng = np.random.default_rng(0)
    for weight in network.weights:
        if len(weight.shape) > 1:
            scale = 1.5 / np.prod(weight.shape[:-1])
            weight.assign(scale * rng.uniform(0.5, 1.0, weight.shape))
    return network


def lively(network):
    """Give weights a size at which nothing grows or fades on the way."""
    rng = np.random.default_rng(0)
    for weight in network.weights:
        if len(weight.shape) > 1:
            scale = np.sqrt(2.0 / np.prod(weight.shape[:-1]))
            weight.assign(scale * rng.standard_normal(weight.shape))
    return network


def seen_from(network, grid):
    """Return how far the picture changes around a changed pixel, at every place of the grid."""
    farthest, size = 0, 192
    for place in range(96, 96 + grid):
        picture = np.full((1, size, size, 1), 0.5, "float32")
        changed = picture.copy()
        changed[0, place, place] = 1.0
        before, after = (np.asarray(network(x))[0, ..., 0] for x in (picture, changed))
        moved = np.argwhere(before != after)
        farthest = max(farthest, np.abs(moved - place).max())
    return farthest


@pytest.mark.parametrize("name", NETWORKS)
def test_the_view_is_as_far_as_a_changed_pixel_is_seen(name):
    network = NETWORKS[name]()
    view = view_of(network)
    assert view.grid == {"dncnn": 1, "dncnn of blocks": 2, "drunet": 8}.get(name, 4)
    assert view.reach == {"dncnn": 5, "dncnn of blocks": 9}.get(name, view.reach)
    # What is far away counts little, and is lost in rounding: a pixel is seen a little less far.
    seen = seen_from(positive(network), view.grid)
    assert 0.6 * view.reach <= seen <= view.reach


def test_the_view_of_a_wide_network_that_is_told_a_level():
    # 2, 4 and 8 pixels a place on its three levels: head and tail see 2 places more on the finest,
    # four or eight 3 x 3 convolutions as many on each, and a place of the last one is 8 pixels.
    network = networks.drunet(extra_channels=1, filters=(64, 96, 128), num_blocks=2, block_size=2)
    assert view_of(network) == View(2 * (2 + 8) + 4 * 8 + 8 * 4 + 7, 8)


@pytest.mark.parametrize(
    "build", [*NETWORKS.values(), *OF_HOLES.values()], ids=[*NETWORKS, *OF_HOLES]
)
def test_the_view_does_not_depend_on_precision(build):
    expected = view_of(build(extra_channels=1))
    keras.config.set_dtype_policy("mixed_float16")
    try:
        half = build(extra_channels=1)
    finally:
        keras.config.set_dtype_policy("float32")
    assert view_of(half) == expected


def test_measuring_leaves_the_network_alone():
    network = networks.dncnn(depth=3, filters=2)
    before = network.get_weights()
    view_of(network)
    for value, now in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(value, now)


@pytest.mark.parametrize("side", [64, 100, 131, 192, 1])
@pytest.mark.parametrize("view", [View(0, 1), View(5, 1), View(13, 8), View(70, 16)])
def test_tiles_cover_a_side_once_and_see_enough(side, view):
    covered = np.zeros(side, int)
    for tile in tiles(side, 64, view):
        covered[tile.place] += 1
        places = np.arange(side)
        np.testing.assert_array_equal(places[tile.seen][tile.made], places[tile.place])
        assert tile.seen.start % view.grid == 0
        assert (tile.seen.stop - tile.seen.start) % view.grid == side % view.grid
        assert tile.seen.start <= max(0, tile.place.start - view.reach)
        assert tile.seen.stop >= min(side, tile.place.stop + view.reach)
        assert tile.seen.stop - tile.seen.start <= 64 + 3 * view.margin + view.grid
    assert np.all(covered == 1)


@pytest.mark.parametrize(
    ("name", "size"),
    [*((name, (150, 131)) for name in NETWORKS), ("drunet", (64, 200)), ("unet", (161, 70))],
)
def test_tiled_equals_whole(name, size):
    keras.utils.set_random_seed(0)
    network = lively(NETWORKS[name](extra_channels=1))
    model = Restorer(network, degradations.AdditiveNoise((0.0, 0.2), append_level=True))
    pictures = np.random.default_rng(1).random((2, *size, 1), "float32")
    whole = model.restore(pictures, level=0.1, tile=None)
    tiled = model.restore(pictures, level=0.1, tile=64)
    assert np.ptp(whole) > 0.1
    np.testing.assert_allclose(tiled, whole, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", OF_HOLES)
def test_large_holes_across_tiles_are_filled_as_in_the_whole(name):
    keras.utils.set_random_seed(0)
    network = lively(OF_HOLES[name](extra_channels=1))
    model = Restorer(network, degradations.MissingBlocks(0.5, 40, seed=0), keep_known=True)
    observed = np.asarray(model.degradation(np.random.default_rng(1).random((1, 301, 262, 1))))
    whole = model.restore(observed, tile=None)
    tiled = model.restore(observed, tile=64)
    assert np.std(whole[observed[..., 1:] == 0]) > 0.05
    np.testing.assert_allclose(tiled, whole, atol=1e-5, rtol=0)


def test_the_network_is_compiled_once_for_tiles_of_all_sizes(monkeypatch):
    # Called eagerly, it would keep what all of its layers put out.
    model = Restorer(networks.drunet(filters=(2, 3), num_blocks=1), degradations.AdditiveNoise(0.1))
    seen, call = [], model.network.call

    def counted(observed, **options):
        seen.append(observed.shape)
        return call(observed, **options)

    monkeypatch.setattr(model.network, "call", counted)
    model._view = View(20, 4)
    model.restore(np.zeros((2, 150, 131, 1), "float32"), tile=64)
    assert seen == [(1, None, None, 1)]


def test_tiles_and_the_ensemble_go_together(capsys):
    model = Restorer(networks.dncnn(depth=3, filters=2), degradations.AdditiveNoise(0.1))
    picture = np.random.default_rng(1).random((1, 150, 90, 1), "float32")
    whole = model.restore(picture, self_ensemble=True, tile=None)
    tiled = model.restore(picture, self_ensemble=True, tile=64, progress=True)
    np.testing.assert_allclose(tiled, whole, atol=1e-5, rtol=0)
    assert "6/6" in capsys.readouterr().out


def test_a_network_that_sees_everything_is_not_cut():
    observed = keras.Input((None, None, 1))
    mean = keras.layers.GlobalAveragePooling2D(keepdims=True)(observed)
    network = keras.Model(observed, keras.layers.Conv2D(1, 3, padding="same")(observed - mean))
    assert view_of(network) is None
    model = Restorer(network, degradations.AdditiveNoise(0.1))
    picture = np.random.default_rng(1).random((1, 150, 90, 1), "float32")
    assert model.restore(picture, tile=None).shape == picture.shape
    assert model.restore(picture).shape == picture.shape  # smaller than a tile
    with pytest.raises(ValueError, match="whole picture. Received: .*150 x 90 .*Pass tile=None"):
        model.restore(picture, tile=64)
