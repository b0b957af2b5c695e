"""Pictures of every size: brought to what a network takes, and as good at the border as inside."""

import keras
import numpy as np
import pytest
from keras import layers
from many_networks import NETWORKS, OF_HOLES, conv, lively

from keras_imgen import Restorer, degradations, load, load_pretrained, networks
from keras_imgen.inference import derived
from keras_imgen.sizes import mirrored, multiple_of_sides

SIDES = [*range(1, 21), 31, 32, 37, 61]


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("multiple", [1, 2, 3, 16])
def test_mirroring_is_that_of_numpy(side, multiple):
    x = np.random.default_rng(0).random((2, side, 5, 3), "float32")
    missing = [(0, 0), (0, -side % multiple), (0, -5 % multiple), (0, 0)]
    expected = np.pad(x, missing, mode="reflect")
    np.testing.assert_array_equal(mirrored(x, multiple), expected)


def test_free_sides_are_mirrored_in_compiled_functions_too():
    import tensorflow as tf

    compiled = tf.function(
        lambda x: mirrored(x, 8), input_signature=[tf.TensorSpec((None, None, None, 1))]
    )
    for side in SIDES:
        x = np.random.default_rng(0).random((1, side, 3, 1), "float32")
        np.testing.assert_array_equal(compiled(x), mirrored(x, 8))


KEPT = {**NETWORKS, **OF_HOLES}


@pytest.mark.parametrize("name", KEPT)
def test_any_picture_is_restored_as_the_one_that_continues_it(name):
    network = lively(KEPT[name](extra_channels=1))
    grid = derived(network).grid
    grid = 8 if name == "drunet of holes" else grid  # 32 of the fill, which takes any size
    if "holes" in name:
        grid = 2
    rng = np.random.default_rng(0)
    for height, width in [(1, 1), (2, 13), (7, 3), (19, 20), (31, 37), (32, 17)]:
        picture = rng.random((1, height, width, 2), "float32")
        picture[..., 1] = 1.0  # known, or a level
        restored = np.asarray(network(picture))
        assert restored.shape == (1, height, width, 1)
        continued = np.asarray(network(mirrored(picture, grid)))[:, :height, :width]
        if name == "dncnn":
            continued = restored
        np.testing.assert_allclose(restored, continued, atol=1e-4)


@pytest.mark.parametrize("name", KEPT)
@pytest.mark.parametrize("sides", [(64, 64), (61, 67), (53, 50), (48, 71)])
def test_a_picture_and_the_same_in_a_larger_one_agree_away_from_the_border(name, sides):
    network = lively(KEPT[name](extra_channels=1))
    view = derived(network)
    edge, lead = view.margin, 4 * view.grid
    height, width = (side + 2 * view.margin for side in sides)  # odd ones stay odd
    larger = np.random.default_rng(0).random((1, height + lead + 9, width + lead + 7, 2), "float32")
    larger[..., 1] = np.round(larger[..., 1])
    part = larger[:, lead : lead + height, lead : lead + width]
    inside = (slice(None), slice(edge, height - edge), slice(edge, width - edge))
    alone = np.asarray(network(part))[inside]
    there = np.asarray(network(larger))[:, lead : lead + height, lead : lead + width][inside]
    assert min(alone.shape[1:3]) >= 16
    assert np.ptp(there) > 0.1
    np.testing.assert_allclose(alone, there, atol=1e-4 * np.abs(there).max())


BANDS = {"top": np.s_[:4, 8:-8], "bottom": np.s_[-4:, 8:-8]}
BANDS |= {"left": np.s_[8:-8, :4], "right": np.s_[8:-8, -4:]}


def photographs(channels):
    return load("photos", "test", size=160, channels=channels, crops=0).take(3)


@pytest.mark.parametrize("sides", [(96, 112), (97, 101), (90, 107), (65, 81)])
@pytest.mark.parametrize(("name", "level"), [("gray", None), ("gray", 0.15), ("color", None)])
def test_noise_is_removed_at_each_border_as_inside(name, level, sides):
    model, channels = load_pretrained(f"denoiser-{name}"), 1 if name == "gray" else 3
    clean = photographs(channels)
    noise = np.random.default_rng(0).normal(0.0, 0.15, clean.shape)
    noisy = (clean + noise).astype("float32")
    part = (slice(None), slice(32, 32 + sides[0]), slice(32, 32 + sides[1]))
    alone = ((model.restore(noisy[part], level=level) - clean[part]) ** 2).mean((0, 3))
    there = ((model.restore(noisy, level=level)[part] - clean[part]) ** 2).mean((0, 3))
    # Nobody knows what is beyond the border, so that there the error is larger: not twice as large.
    ratios = {where: alone[band].mean() / there[band].mean() for where, band in BANDS.items()}
    assert all(0.8 < ratio < 1.8 for ratio in ratios.values()), ratios
    assert alone[8:-8, 8:-8].mean() == pytest.approx(there[8:-8, 8:-8].mean(), rel=0.1)


@pytest.mark.parametrize("level", [None, 0.1])
@pytest.mark.parametrize("side", range(1, 21))
def test_tiny_pictures_are_restored(side, level):
    rng = np.random.default_rng(side)
    photos = photographs(1)[..., 40 : 40 + side, 60 : 60 + side, :]
    clean = np.repeat(photos, 10, axis=0)
    noisy = (clean + rng.normal(0.0, 0.1, clean.shape)).astype("float32")
    restored = load_pretrained("denoiser-gray").restore(noisy, level=level)
    left = np.mean((restored - clean) ** 2) / 0.1**2
    # A single pixel does not tell how noisy it is.
    assert left < {1: 1.3, 2: 0.8}.get(side, 0.5)


@pytest.mark.parametrize("sides", [(96, 96), (97, 101), (19, 23)])
def test_holes_are_filled_at_the_border_as_inside(sides):
    model, clean = load_pretrained("inpainter"), photographs(3)
    known = (np.random.default_rng(0).random((len(clean), 160, 160, 1)) < 0.5).astype("float32")
    part = (slice(None), slice(32, 32 + sides[0]), slice(32, 32 + sides[1]))
    alone = model.restore(clean[part], known=known[part])
    there = model.restore(clean, known=known)[part]
    errors = [np.mean((restored - clean[part]) ** 2) for restored in (alone, there)]
    assert errors[0] < 1.6 * errors[1]


def halved(pool, enlarge):
    observed = keras.Input((None, None, 1))
    return keras.Model(observed, conv(1)(enlarge(conv(2)(pool(observed)))))


CHANGERS = {
    2: lambda: halved(layers.MaxPooling2D(), layers.UpSampling2D()),
    3: lambda: halved(layers.AveragePooling2D(3), layers.UpSampling2D(3)),
    4: lambda: halved(layers.Conv2D(2, 5, strides=4, padding="same"), layers.UpSampling2D(4)),
}


@pytest.mark.parametrize("multiple", CHANGERS)
def test_networks_of_certain_sides_are_given_them(multiple, tmp_path):
    network = lively(CHANGERS[multiple]())
    assert multiple_of_sides(network) == multiple
    model = Restorer(network, degradations.AdditiveNoise(0.1, seed=0))
    pictures = np.random.default_rng(0).random((4, 25, 31, 1), "float32")
    restored = model.restore(pictures)
    assert restored.shape == pictures.shape
    whole = np.clip(network(mirrored(pictures, multiple)), 0.0, 1.0)
    np.testing.assert_allclose(restored, whole[:, :25, :31], atol=1e-6)
    model.compile()
    assert np.isfinite(model.fit(pictures, verbose=0).history["loss"][0])
    wide = np.random.default_rng(0).random((1, 131, 90, 1), "float32")
    np.testing.assert_allclose(model.restore(wide, tile=64), model.restore(wide), atol=1e-5)


@pytest.mark.parametrize(
    "layer",
    [
        layers.Conv2D(1, 3),
        layers.MaxPooling2D(),
        layers.UpSampling2D(),
        layers.Cropping2D(2),
        layers.ZeroPadding2D(1),
    ],
    ids=lambda layer: layer.name,
)
def test_networks_that_change_all_sizes_are_refused(layer):
    observed = keras.Input((None, None, 1))
    network = keras.Model(observed, conv(1)(layer(observed)))
    with pytest.raises(ValueError, match="another one, whatever size it takes.*padding='same'"):
        Restorer(network, degradations.AdditiveNoise(0.1))


def test_networks_that_need_even_sides_on_one_axis_only():
    observed = keras.Input((None, 30, 1))
    x = layers.UpSampling2D((2, 1))(layers.MaxPooling2D((2, 1))(observed))
    model = Restorer(keras.Model(observed, conv(1)(x)), degradations.AdditiveNoise(0.1))
    assert model.restore(np.zeros((1, 25, 30, 1), "float32")).shape == (1, 25, 30, 1)


def test_builders_keep_all_sizes():
    for build in KEPT.values():
        assert multiple_of_sides(build(extra_channels=1)) == 1
    assert multiple_of_sides(networks.conv_lstm((9, 7, 1), filters=1)) == 1
