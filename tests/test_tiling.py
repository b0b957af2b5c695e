"""Tiles: a large picture restored in parts is the picture restored whole."""

import re

import keras
import numpy as np
import pytest
from many_networks import NETWORKS, OF_HOLES, STRANGE, lively, strange, tempered

from keras_imgen import Restorer, backends, degradations, networks
from keras_imgen.inference import View, tiles


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
    tempered(network, np.concatenate([pictures, np.full_like(pictures, 0.1)], axis=-1))
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
    tempered(network, observed)
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
    for _ in range(2):
        model.restore(np.zeros((2, 150, 131, 1), "float32"), tile=64)
    assert seen == [(None, None, None, 1)]


@pytest.mark.parametrize("together", [1, 2, 3])
def test_stripes_of_tiles_that_are_restored_together_are_of_one_size(together, monkeypatch):
    model = Restorer(lively(NETWORKS["unet"]()), degradations.AdditiveNoise(0.1))
    pictures = np.random.default_rng(1).random((2, 150, 331, 1), "float32")
    whole = model.restore(pictures, tile=None)
    shapes, restored = [], model._lean_restored()
    monkeypatch.setattr(model._made, "lean", lambda x: shapes.append(x.shape) or restored(x))
    monkeypatch.setattr(backends, "together", lambda: together)
    np.testing.assert_allclose(model.restore(pictures, tile=64), whole, atol=1e-5, rtol=0)
    assert len({shape[1:3] for shape in shapes}) == 1
    assert {shape[0] for shape in shapes[:-1]} <= {together, *(shapes[-1][:1])}
    assert shapes[0][0] == together


@pytest.mark.parametrize("build", [NETWORKS["dncnn"], NETWORKS["drunet"], NETWORKS["unet"]])
def test_tiles_and_the_ensemble_go_together(build, capsys):
    picture = np.random.default_rng(1).random((1, 150, 91, 1), "float32")
    model = Restorer(tempered(lively(build()), picture), degradations.AdditiveNoise(0.1))
    whole = model.restore(picture, self_ensemble=True, tile=None)
    assert np.mean((whole > 0) & (whole < 1)) > 0.1  # what is cut off would hide a difference
    tiled = model.restore(picture, self_ensemble=True, tile=64, progress=True)
    np.testing.assert_allclose(tiled, whole, atol=1e-5, rtol=0)
    done, of = re.findall(r"(\d+)/(\d+)", capsys.readouterr().out)[-1]
    assert done == of
    assert int(of) >= 6  # 3 x 2 tiles, or more where they are made half as wide to go in pairs


@pytest.mark.parametrize("name", STRANGE)
def test_networks_of_all_kinds_give_in_tiles_what_they_give_whole(name):
    model = Restorer(lively(strange(name)), degradations.AdditiveNoise(0.1))
    picture = np.random.default_rng(1).random((1, 150, 91, 1), "float32")
    picture[:, 100:] *= 0.2
    whole = model.restore(picture, tile=None)
    if STRANGE[name].cut:
        tiled = model.restore(picture, tile=64)
    else:
        with pytest.warns(UserWarning, match=r"whole picture. Received: .*150 x 91 with tile=64"):
            tiled = model.restore(picture, tile=64)
    assert np.ptp(whole) > 0.1
    np.testing.assert_allclose(tiled, whole, atol=1e-5, rtol=0)


def test_what_a_network_has_learned_since_is_seen():
    # Before training it leaves the picture as it is, and sees nothing.
    network = strange("custom, far away")
    network.get_layer("last").set_weights([np.zeros((3, 3, 2, 1)), np.zeros(1)])
    model = Restorer(network, degradations.AdditiveNoise(0.1))
    picture = np.random.default_rng(1).random((1, 150, 91, 1), "float32")
    model.restore(picture, tile=64)
    lively(network)
    whole, tiled = (model.restore(picture, tile=size) for size in (None, 64))
    assert np.ptp(whole) > 0.1
    np.testing.assert_allclose(tiled, whole, atol=1e-5, rtol=0)


def test_a_subclass_that_does_more_than_its_network_is_looked_at_itself():
    class Brightened(Restorer):
        def call(self, observed, training=None):
            restored = super().call(observed, training=training)
            return restored * keras.ops.mean(observed, axis=(1, 2, 3), keepdims=True)

    model = Brightened(networks.dncnn(depth=3, filters=2), degradations.AdditiveNoise(0.1))
    picture = np.linspace(0.0, 1.0, 150, dtype="float32").reshape((1, 150, 1, 1)).repeat(40, 2)
    with pytest.warns(UserWarning, match="restored whole"):
        tiled = model.restore(picture, tile=64)
    np.testing.assert_allclose(tiled, model.restore(picture, tile=None), atol=1e-6)


def test_a_network_of_a_fixed_size_is_not_cut():
    model = Restorer(
        networks.unet((80, 70, 1), depth=1, filters=2), degradations.AdditiveNoise(0.1)
    )
    picture = np.random.default_rng(1).random((1, 80, 70, 1), "float32")
    np.testing.assert_array_equal(model.restore(picture, tile=64), model.restore(picture))


@pytest.mark.parametrize(
    ("shape", "tile", "expected"),
    [
        ((9, 32, 32, 1), 64, [4, 4, 1]),  # as many as a tile has pixels
        ((3, 64, 64, 1), 64, [1, 1, 1]),
        ((5, 1, 1, 1), 64, [5]),
        ((3, 600, 600, 1), None, [2, 1]),
    ],
)
def test_memory_is_bounded_by_pixels_not_by_pictures(shape, tile, expected, monkeypatch):
    model = Restorer(networks.dncnn(depth=3, filters=1), degradations.AdditiveNoise(0.1))
    counts, call = [], model.network.call

    def counted(observed, **options):
        counts.append(len(observed))
        return call(observed, **options)

    monkeypatch.setattr(model.network, "call", counted)
    assert model.restore(np.zeros(shape, "float32"), tile=tile).shape == shape
    assert counts == expected


def test_long_sequences_are_restored_one_by_one(monkeypatch):
    network = networks.conv_lstm((16, 16, 1), filters=1)
    model = Restorer(network, degradations.AdditiveNoise(0.1))
    shapes, step = [], model._step()
    monkeypatch.setattr(
        model._made, "step", lambda x, before: shapes.append(x.shape[:2]) or step(x, before)
    )
    frames = np.random.default_rng(0).random((3, 20, 16, 16, 1), "float32")
    found = model.restore(frames, tile=64)
    # 16 frames have as many pixels; behind the first ones, then all.
    assert shapes == [(1, 4), (1, 16), (1, 4)] * 3
    np.testing.assert_allclose(found, model.restore(frames, tile=None), atol=1e-6)
