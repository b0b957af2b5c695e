"""The restorers that ship with the package load, restore, and are as good as measured."""

from pathlib import Path

import keras
import numpy as np
import pytest
from scripts import load_script

import keras_imgen
from keras_imgen import degradations, load, load_moving_photos, load_pretrained, metrics
from keras_imgen.inference import View, derived
from keras_imgen.models import Batch
from keras_imgen.pretrained import ASSETS, UNTRAINED

ROOT = Path(__file__).parents[1]
OF_PICTURES = [name for name in UNTRAINED if name != "film-gray"]
GAINS = {"denoiser-gray": 9.12, "denoiser-color": 9.70}  # dB, of noise of 25 grey levels
# dB: in noise, beside the denoiser alone; in lost frames, beside the mean of their neighbours.
FILM = (0.36, 2.49)


@pytest.fixture(scope="module", params=OF_PICTURES)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def model(name):
    return load_pretrained(name)


def photos(channels):
    """Return crops of the three embedded test photographs, which no training has seen."""
    return load("photos", "test", size=128, channels=channels, crops=0).take(3)


def gain(model, clean, level=None, **options):
    """Return by how many dB Gaussian noise of 25 grey levels is reduced, on average."""
    noise = np.random.default_rng(0).normal(0.0, 25 / 255, clean.shape)
    noisy = (clean + noise).astype("float32")
    restored = model.restore(noisy, level=level, **options)
    return float(np.mean(metrics.psnr(clean, restored) - metrics.psnr(clean, noisy)))


def test_names():
    with pytest.raises(
        ValueError, match=r"`name` must be .*'denoiser-gray'.*Received: name='denois"
    ):
        load_pretrained("denoiser")


def test_weights_are_a_few_megabytes():
    sizes = [(ASSETS / f"{name}.npz").stat().st_size for name in UNTRAINED]
    assert 5e6 < sum(sizes) < 10e6


@pytest.mark.parametrize("name", UNTRAINED)
def test_every_model_has_its_card(name):
    card = (ROOT / "docs" / "pretrained.md").read_text("utf-8")
    assert f"`{name}`" in card
    assert f"{UNTRAINED[name]().network.count_params():,}" in card


def test_how_far_it_sees(name, model):
    # Without the fill, the inpainter would see 195 pixels far on a grid of 16.
    expected = View(249, 32) if name == "inpainter" else View(91, 8)
    assert derived(model.network) == expected


@pytest.mark.slow  # as do its tiles of 64 with their margins of 249
def test_tiles_are_the_whole(model):
    channels = model.image_shape[-1]
    clean = load("photos", "test", channels=channels, size=256, crops=0).take(1)
    if model.keep_known:
        observed = keras.ops.convert_to_numpy(model.degradation(clean))
    else:
        noise = np.random.default_rng(0).normal(0.0, 0.1, clean.shape)
        observed = (clean + noise).astype("float32")
    whole = model.restore(observed, tile=None)
    tiled = model.restore(observed, tile=64)
    assert np.ptp(whole) > 0.5
    np.testing.assert_allclose(tiled, whole, atol=1e-5, rtol=0)


@pytest.mark.parametrize(("name", "channels"), [("denoiser-gray", 1), ("denoiser-color", 3)])
def test_denoisers_are_as_good_as_measured(name, channels):
    model, clean = load_pretrained(name), photos(channels)
    blind = gain(model, clean)
    assert blind == pytest.approx(GAINS[name], abs=0.1)
    assert gain(model, clean, level=25 / 255) == pytest.approx(blind, abs=0.15)
    assert 0.0 < gain(model, clean, self_ensemble=True) - blind < 0.3
    # Told a lie, it obeys: the noise stays, or the picture goes.
    assert gain(model, clean, level=5 / 255) < blind - 1.0
    assert gain(model, clean, level=50 / 255) < blind - 1.0


def test_a_clean_picture_stays_nearly_as_it_is():
    clean = photos(1)
    restored = load_pretrained("denoiser-gray").restore(clean)
    assert np.all(metrics.psnr(clean, restored) > 45.0)


@pytest.mark.parametrize(
    ("holes", "gained"),  # in dB
    [
        (degradations.MissingBlocks(0.2, 8, seed=0), 1.2),
        (degradations.FreeFormHoles(0.2, seed=0), 0.6),
        (degradations.MissingPixels(0.5, seed=0), 0.3),
    ],
)
def test_the_inpainter_knows_more_than_that_neighbours_agree(holes, gained):
    clean = photos(3)
    observed = keras.ops.convert_to_numpy(holes(clean))
    picture, known = observed[..., :3], observed[..., 3:]
    filled = load_pretrained("inpainter").restore(picture, known=known)
    np.testing.assert_array_equal(filled[known[..., 0] == 1], picture[known[..., 0] == 1])
    better = metrics.psnr(clean, filled) - metrics.psnr(clean, diffused(picture, known))
    assert np.all(better > 0.0)
    assert np.mean(better) == pytest.approx(gained, abs=0.1)


def diffused(picture, known):
    """Return a picture whose missing pixels are the mean of their neighbours."""
    filled = picture + (1 - known) * picture.sum((1, 2), keepdims=True) / known.sum(
        (1, 2), keepdims=True
    )
    for _ in range(1000):
        wide = np.pad(filled, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
        around = wide[:, :-2, 1:-1] + wide[:, 2:, 1:-1] + wide[:, 1:-1, :-2] + wide[:, 1:-1, 2:]
        filled = picture + (1 - known) * around / 4
    return filled


@pytest.fixture(scope="module")
def film():
    return load_pretrained("film-gray")


def damaged_films(seed=0):
    """Return films of the embedded test photographs, with noise and 2 of 8 frames lost."""
    options = {"num_sequences": 6, "num_frames": 8, "size": (61, 70), "seed": seed}
    clean = load_moving_photos("test", **options).take(6)
    noise = degradations.AdditiveNoise(25 / 255, seed=0)
    lose = degradations.MissingFrames(2, seed=0)
    observed = keras.ops.convert_to_numpy(degradations.Compose([noise, lose])(clean))
    return clean, observed, observed[..., -1].max(axis=(2, 3)) == 0


def test_a_film_gains_from_its_other_frames(film):
    clean, observed, lost = damaged_films()
    restored = film.restore(observed)
    alone = load_pretrained("denoiser-gray").restore(observed[..., :1].reshape(-1, 61, 70, 1))
    alone = alone.reshape(clean.shape)
    gains = metrics.psnr(clean, restored) - metrics.psnr(clean, alone)
    assert np.mean(gains[~lost]) == pytest.approx(FILM[0], abs=0.1)
    # A lost frame, beside the mean of those around it.
    filled = alone.copy()
    for n, t in np.argwhere(lost):
        before, after = np.flatnonzero(~lost[n, :t]), t + np.flatnonzero(~lost[n, t:])
        around = [*before[-1:], *after[:1]]
        filled[n, t] = alone[n, around].mean(axis=0)
    better = metrics.psnr(clean, restored) - metrics.psnr(clean, filled)
    assert np.mean(better[lost]) == pytest.approx(FILM[1], abs=0.2)


def test_a_clean_film_stays_nearly_as_it_is(film):
    clean, *_ = damaged_films()
    restored = film.restore(clean, known=1.0)
    assert np.all(metrics.psnr(clean, restored) > 35.0)


def test_a_long_film_is_restored_in_parts(film):
    _, observed, _ = damaged_films()
    observed = observed[:1, :6, :24, :31]
    whole = film.restore(observed)
    assert film._readings(3) == 3  # backwards, what was seen forwards; and forwards again
    parts = film._film_in_parts(observed, 3, False)
    np.testing.assert_allclose(np.clip(parts, 0.0, 1.0), whole, atol=1e-5, rtol=0)


def test_only_what_sees_frames_together_learns_on(film):
    frozen = film.network.get_layer("frame_by_frame").network.count_params()
    assert frozen == load_pretrained("denoiser-gray").network.count_params()
    learning = sum(int(np.prod(weight.shape)) for weight in film.network.trainable_weights)
    assert learning == film.network.count_params() - frozen


def test_a_photograph_is_no_film(film):
    with pytest.raises(ValueError, match=r"\(batch, time, height, width, channels\)"):
        film.restore(photos(1))


def test_it_saves_and_learns_on(tmp_path):
    model = load_pretrained("denoiser-gray")
    model.compile(keras.optimizers.Adam(1e-5))
    before = model.network.get_weights()
    model.fit(photos(1), batch_size=3, epochs=1, verbose=0)
    moved = [np.abs(a - b).max() for a, b in zip(before, model.network.get_weights(), strict=True)]
    assert 0.0 < max(moved) < 1e-4
    model.save(tmp_path / "mine.keras")
    loaded = keras_imgen.load_model(tmp_path / "mine.keras")
    np.testing.assert_array_equal(loaded.restore(photos(1)), model.restore(photos(1)))


@pytest.fixture(scope="module")
def script():
    return load_script(ASSETS / "train_restorers.py")


def test_a_denoiser_of_colours_begins_as_the_grey_one(script):
    grey, color = load_pretrained("denoiser-gray"), UNTRAINED["denoiser-color"]()
    script.begin_from(color, grey)
    rng = np.random.default_rng(0)
    observed = rng.random((1, 32, 48, 1), "float32")
    level = np.full_like(observed, 0.1)
    # Of three equal colours it sees their sum over the root of 3, and each gets its share back.
    expected = grey(np.concatenate([3**0.5 * observed, level], axis=-1)) / 3**0.5
    restored = color(np.concatenate([np.repeat(observed, 3, axis=-1), level], axis=-1))
    assert np.ptp(observed - expected) > 0.1
    np.testing.assert_allclose(restored, np.repeat(expected, 3, axis=-1), rtol=0, atol=1e-5)


def test_an_obedient_denoiser_learns_to_leave_what_it_is_not_told(script):
    noise = degradations.AdditiveNoise(0.1, append_level=0.5, seed=0)
    model = script.ObedientDenoiser(UNTRAINED["denoiser-gray"]().network, noise, seed=0)
    clean = np.full((400, 16, 16, 1), 0.5, "float32")
    observed, wanted = map(keras.ops.convert_to_numpy, model.prepared(Batch(clean), True))
    told = observed[:, 0, 0, -1] > 0.0
    left = (wanted - clean).std(axis=(1, 2, 3))
    assert np.mean(told) == pytest.approx(0.5, abs=0.1)  # four standard errors
    assert np.all(left[~told] == 0.0)
    assert np.mean(left[told] > 0.0) == pytest.approx(0.5, abs=0.15)
    assert 0.08 < left.max() < 0.12  # of 25 grey levels, 0.098
    removed = (observed[..., :-1] - wanted).std(axis=(1, 2, 3))
    np.testing.assert_allclose(removed, 0.1, rtol=0.2)
    observed, wanted = map(keras.ops.convert_to_numpy, model.prepared(Batch(clean), False))
    np.testing.assert_array_equal(wanted, clean)
