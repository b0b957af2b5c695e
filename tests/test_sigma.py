"""How noisy a photograph is: known noise is found, and texture is not taken for it."""

import io

import numpy as np
import pytest
from PIL import Image

from keras_imgen import (
    Restorer,
    degradations,
    estimate_sigma,
    load,
    load_example,
    load_pretrained,
    networks,
)
from keras_imgen.sigma import level_to_pass


@pytest.fixture(scope="module", params=[1, 3], ids=["grey", "colour"])
def clean(request):
    pictures = load("photos", "test", channels=request.param, size=160, crops=1).take(2)
    return np.asarray(pictures)


def noisy(clean, sigma):
    rng = np.random.default_rng(0)
    return (clean + rng.normal(0.0, sigma / 255, clean.shape)).astype("float32")


def as_jpeg(picture, quality=90, subsampling=2):
    stream = io.BytesIO()
    pixels = np.rint(255 * np.clip(picture, 0, 1)).astype("uint8")
    if quality is None:  # 8 bits, but no JPEG
        return pixels / np.float32(255)
    Image.fromarray(pixels).save(stream, "JPEG", quality=quality, subsampling=subsampling)
    return np.asarray(Image.open(stream)) / np.float32(255)


@pytest.mark.parametrize("sigma", [10, 25, 50])
def test_known_noise_is_found(clean, sigma):
    found = 255 * estimate_sigma(noisy(clean, sigma))
    # The denoiser leaves some noise in textures, and takes some texture with the noise.
    np.testing.assert_allclose(found, sigma, rtol=0.15)


def test_a_clean_picture_has_none(clean):
    assert 255 * estimate_sigma(clean).max() < 3.0


def test_noise_is_found_in_one_place_if_it_is_in_most():
    # Nine places of a large picture are looked at. A sky that is blown out fills a few of them.
    picture = noisy(np.full((1, 500, 600, 1), 0.5), 20)
    picture[:, :170] = 1.0
    np.testing.assert_allclose(255 * estimate_sigma(picture), 20, rtol=0.1)


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (2, 15, 300, 3)])
def test_in_too_small_a_picture_nobody_can_tell(shape):
    assert estimate_sigma(np.random.default_rng(0).random(shape)).tolist() == [0.0] * shape[0]


@pytest.mark.parametrize(
    ("pictures", "advice"),
    [
        (np.zeros((1, 20, 20, 2)), "1 or 3 channels. Received: shape=.1, 20, 20, 2."),
        (np.zeros((20, 20, 1)), "batch axis of a single one"),
        (np.zeros((1, 20, 20, 1), "uint8"), "Convert pictures of 8 bits"),
    ],
)
def test_what_are_no_pictures_is_refused(pictures, advice):
    with pytest.raises(ValueError, match=advice):
        estimate_sigma(pictures)


def test_a_model_is_told_only_what_it_does_not_see():
    model = load_pretrained("denoiser-color")
    clean = np.asarray(load("photos", "test", channels=3, size=160, crops=1).take(1))[0]
    observed = noisy(clean, 25)
    assert level_to_pass(model, observed) is None  # each colour has its own noise
    assert level_to_pass(model, as_jpeg(observed, 95, subsampling=0)) is None  # and keeps it
    assert level_to_pass(model, clean) is None
    assert level_to_pass(model, as_jpeg(clean)) is None
    assert 255 * level_to_pass(model, as_jpeg(observed)) == pytest.approx(25, rel=0.2)
    assert 255 * level_to_pass(model, as_jpeg(noisy(clean, 90))) == pytest.approx(55)  # its most
    grey = observed[..., :1]
    assert level_to_pass(load_pretrained("denoiser-gray"), grey) is None


@pytest.mark.parametrize("sigma", [0, 10, 25])
def test_fine_texture_without_colours_is_no_noise_that_is_told(sigma):
    rocks = load_example("mountains")
    assert 255 * estimate_sigma(rocks[None])[0] > 20  # what it is taken for
    for top, left, side in ((0, 0, 300), (40, 100, 75), (200, 150, 160)):
        picture = noisy(rocks[top : top + side, left : left + side], sigma)
        pixels = as_jpeg(picture, None)
        assert level_to_pass(load_pretrained("denoiser-color"), pixels) is None


@pytest.mark.parametrize("quality", [75, 90])
def test_fine_texture_is_not_told_of_a_clean_jpeg(quality):
    rocks = as_jpeg(load_example("mountains")[:300, :300], quality)
    assert level_to_pass(load_pretrained("denoiser-color"), rocks) is None


def test_a_model_that_cannot_do_without_is_always_told():
    network = networks.dncnn((None, None, 1), extra_channels=1, depth=3, filters=4)
    picture = noisy(np.full((64, 64, 1), 0.5), 20)
    for told, expected in ((True, pytest.approx(20 / 255, rel=0.1)), (0.5, None), (False, None)):
        noise = degradations.AdditiveNoise((0.0, 0.2), append_level=told)
        blind = networks.dncnn((None, None, 1), depth=3, filters=4)
        model = Restorer(network if told else blind, noise)
        assert level_to_pass(model, picture) == expected
