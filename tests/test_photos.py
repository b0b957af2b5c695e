"""Photographs: whatever a file holds comes back, and nothing of it is lost on the way."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageCms

from keras_imgen.data.photos import read_photo, write_photo

RNG = np.random.default_rng(0)
COLOURS = RNG.integers(0, 256, (12, 20, 3), dtype="uint8")


def file_of(image, path, **options):
    image.save(path, **options)
    return path


@pytest.mark.parametrize("mode", ["1", "L", "LA", "RGB", "RGBA", "P"])
def test_pictures_of_8_bits_come_back(mode, tmp_path):
    alpha = RNG.integers(0, 256, (12, 20), dtype="uint8")
    image = Image.fromarray(np.dstack([COLOURS, alpha]))
    image = (image.convert("RGB") if mode == "P" else image).convert(mode)
    photo = read_photo(file_of(image, tmp_path / "in.png"))
    grey = mode in ("1", "L", "LA")
    assert photo.picture.shape == (12, 20, 1 if grey else 3)
    assert photo.picture.dtype == np.float32
    assert (photo.alpha is not None) == (mode in ("LA", "RGBA"))
    write_photo(tmp_path / "out.png", photo)
    with Image.open(tmp_path / "out.png") as written:
        expected = image.convert(written.mode)
        np.testing.assert_array_equal(np.asarray(written), np.asarray(expected))


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_pictures_of_16_bits_come_back(channels, tmp_path):
    values = RNG.integers(0, 2**16, (12, 20, channels), dtype="uint16")
    (tmp_path / "in.png").write_bytes(tf.io.encode_png(values).numpy())
    photo = read_photo(tmp_path / "in.png")
    assert photo.bits == 16
    assert photo.picture.shape[-1] == {1: 1, 2: 1, 3: 3, 4: 3}[channels]
    np.testing.assert_allclose(
        photo.picture, values[..., : photo.picture.shape[-1]] / 65535, atol=1e-7
    )
    write_photo(tmp_path / "out.png", photo)
    data = (tmp_path / "out.png").read_bytes()
    np.testing.assert_array_equal(tf.io.decode_png(data, dtype=tf.uint16), values)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_cameras_orientation_is_applied_once(orientation, tmp_path):
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = orientation, "Maker"  # orientation, maker of the camera
    image = Image.fromarray(COLOURS)
    photo = read_photo(file_of(image, tmp_path / "in.png", exif=exif))
    # Orientations 5 to 8 swap rows and columns.
    turned = {
        1: COLOURS,
        2: COLOURS[:, ::-1],
        3: COLOURS[::-1, ::-1],
        4: COLOURS[::-1],
        5: COLOURS.swapaxes(0, 1),
        6: np.rot90(COLOURS, -1),
        7: COLOURS[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90(COLOURS),
    }[orientation]
    np.testing.assert_array_equal(np.rint(255 * photo.picture), turned)
    write_photo(tmp_path / "out.png", photo)
    with Image.open(tmp_path / "out.png") as written:
        np.testing.assert_array_equal(np.asarray(written), turned)
        assert written.getexif().get(0x0112, 1) == 1  # not a second time
        assert written.getexif()[0x010F] == "Maker"


def test_the_colour_profile_is_kept(tmp_path):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image = Image.fromarray(COLOURS)
    photo = read_photo(file_of(image, tmp_path / "in.jpg", icc_profile=profile))
    write_photo(tmp_path / "out.png", photo)
    with Image.open(tmp_path / "out.png") as written:
        assert written.info["icc_profile"] == profile


def test_a_photograph_of_a_printing_press_becomes_one_of_three_colours(tmp_path):
    image = Image.fromarray(COLOURS).convert("CMYK")
    photo = read_photo(file_of(image, tmp_path / "in.jpg", quality=100, subsampling=0))
    assert photo.picture.shape == (12, 20, 3)


@pytest.mark.parametrize("bits", [8, 16])
def test_what_is_no_picture_is_refused(bits, tmp_path):
    stream = io.BytesIO()
    if bits == 8:
        Image.fromarray(COLOURS).save(stream, "PNG")
        data = stream.getvalue()
    else:
        values = RNG.integers(0, 2**16, (12, 20, 3), dtype="uint16")
        data = tf.io.encode_png(values).numpy()
    file = tmp_path / "photo.png"
    for damaged in (data[: len(data) // 2], data[:20], b"", b"text", b"GIF89a" + data):
        file.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"photo.png' cannot be read as a picture: "):
            read_photo(file)
    with pytest.raises(ValueError, match="cannot be read as a picture: "):
        read_photo(tmp_path)
    with pytest.raises(ValueError, match="No such file"):
        read_photo(tmp_path / "missing.png")


@pytest.mark.parametrize("bits", [8, 16])
def test_a_picture_that_would_fill_the_memory_is_refused(bits, tmp_path, monkeypatch):
    values = RNG.integers(0, 2**8, (60, 60, 3)).astype("uint8" if bits == 8 else "uint16")
    (tmp_path / "bomb.png").write_bytes(tf.io.encode_png(values).numpy())
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(ValueError, match="more than 0 million pixels; make it smaller first"):
        read_photo(tmp_path / "bomb.png")
