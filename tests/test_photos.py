"""Photographs: whatever a file holds comes back, and nothing of it is lost on the way."""

import io
import os
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageCms

from keras_imgen.data.photos import read_photo, read_picture, write_photo

RNG = np.random.default_rng(0)
COLOURS = RNG.integers(0, 256, (12, 20, 3), dtype="uint8")


def file_of(image, path, **options):
    image.save(path, **options)
    return path


def chunk(kind, content):
    """Return one part of a PNG file."""
    checksum = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + checksum


def png(values, *parts, bits=None, color_type=None, late=()):
    """Return a PNG file of 8 or 16 bits made by hand, with parts before and behind the pixels."""
    height, width, channels = values.shape
    bits = bits or 8 * values.itemsize
    color_type = {1: 0, 2: 4, 3: 2, 4: 6}[channels] if color_type is None else color_type
    big = values.astype(values.dtype.newbyteorder(">"))
    if bits < 8:
        digits = (format(int(v), f"0{bits}b") for v in values.ravel())
        whole = int("".join(digits), 2).to_bytes(values.size * bits // 8, "big")
        rows = np.frombuffer(whole, "uint8").reshape(height, -1)
    else:
        rows = np.frombuffer(big.tobytes(), "uint8").reshape(height, -1)
    pixels = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    head = struct.pack(">IIBBBBB", width, height, bits, color_type, 0, 0, 0)
    chunks = [chunk(b"IHDR", head), *parts, chunk(b"IDAT", pixels), *late, chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def turned(values, orientation):
    """Return what a viewer shows of pixels with this orientation (EXIF 2.3, 4.6.4)."""
    # Orientations 5 to 8 swap rows and columns.
    return {
        1: values,
        2: values[:, ::-1],
        3: values[::-1, ::-1],
        4: values[::-1],
        5: values.swapaxes(0, 1),
        6: np.rot90(values, -1),
        7: values[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90(values),
    }[orientation]


def notes_of(orientation):
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = orientation, "Maker"  # orientation, maker of the camera
    return exif


def all_of(photo):
    return photo.picture if photo.alpha is None else np.dstack([photo.picture, photo.alpha])


def parts_of(file):
    """Return the parts of a PNG file by their names."""
    data, at, parts = file.read_bytes(), 8, {}
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        parts[kind] = data[at + 8 : at + 8 + length]
        at += 12 + length
    return parts


PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
COLOUR = {
    b"iCCP": b"name\0\0" + zlib.compress(PROFILE),
    b"gAMA": struct.pack(">I", 45455),
    b"cHRM": struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000),
    b"sRGB": b"\1",
    b"cICP": bytes([9, 16, 0, 1]),  # BT.2020 and PQ: a picture of high dynamic range
}


@pytest.mark.parametrize("late", [False, True], ids=["notes before", "notes behind the pixels"])
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("bits", [8, 16])
def test_all_that_a_png_holds_comes_back(bits, channels, orientation, late, tmp_path):
    values = RNG.integers(0, 2**bits, (12, 20, channels), dtype=f"uint{bits}")
    notes = chunk(b"eXIf", notes_of(orientation).tobytes()[6:])
    resolution = chunk(b"pHYs", struct.pack(">IIB", 11811, 5906, 1))  # 300 and 150 dpi
    colour = [chunk(b"sRGB", COLOUR[b"sRGB"]), chunk(b"gAMA", COLOUR[b"gAMA"]), resolution]
    before, behind = (colour, [notes]) if late else ([notes, *colour], [])
    (tmp_path / "in.png").write_bytes(png(values, *before, late=behind))

    photo = read_photo(tmp_path / "in.png")
    expected = turned(values, orientation)
    assert photo.bits == bits
    assert photo.picture.dtype == np.float32
    np.testing.assert_array_equal(np.rint(all_of(photo) * (2.0**bits - 1)), expected)

    write_photo(tmp_path / "out.png", photo)
    dtype = {8: tf.uint8, 16: tf.uint16}[bits]
    written = (tmp_path / "out.png").read_bytes()
    np.testing.assert_array_equal(tf.io.decode_png(written, dtype=dtype), expected)
    with Image.open(tmp_path / "out.png") as image:
        assert image.getexif().get(0x0112, 1) == 1  # not a second time
        assert image.getexif()[0x010F] == "Maker"
        dpi = (300, 150) if orientation < 5 else (150, 300)
        assert image.info["dpi"] == pytest.approx(dpi, abs=0.02)
    parts = parts_of(tmp_path / "out.png")
    assert parts[b"IHDR"][8] == bits
    assert {kind: parts[kind] for kind in (b"sRGB", b"gAMA")} == {
        kind: COLOUR[kind] for kind in (b"sRGB", b"gAMA")
    }
    again = read_photo(tmp_path / "out.png")
    np.testing.assert_array_equal(all_of(again), all_of(photo))


@pytest.mark.parametrize("kind", COLOUR)
@pytest.mark.parametrize("bits", [8, 16])
def test_what_a_png_says_of_its_colours_comes_back(bits, kind, tmp_path):
    values = RNG.integers(0, 2**bits, (12, 20, 3), dtype=f"uint{bits}")
    (tmp_path / "in.png").write_bytes(png(values, chunk(kind, COLOUR[kind])))
    write_photo(tmp_path / "out.png", read_photo(tmp_path / "in.png"))
    parts = parts_of(tmp_path / "out.png")
    assert set(parts) == {b"IHDR", kind, b"IDAT", b"IEND"}
    if kind == b"iCCP":
        with Image.open(tmp_path / "out.png") as image:
            assert image.info["icc_profile"] == PROFILE
    else:
        assert parts[kind] == COLOUR[kind]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "RGB", "RGBA", "P"])
def test_pictures_of_8_bits_come_back(mode, tmp_path):
    alpha = RNG.integers(0, 256, (12, 20), dtype="uint8")
    image = Image.fromarray(np.dstack([COLOURS, alpha]))
    image = (image.convert("RGB") if mode == "P" else image).convert(mode)
    photo = read_photo(file_of(image, tmp_path / "in.png"))
    grey = mode in ("1", "L", "LA")
    assert photo.picture.shape == (12, 20, 1 if grey else 3)
    assert (photo.alpha is not None) == (mode in ("LA", "RGBA"))
    write_photo(tmp_path / "out.png", photo)
    with Image.open(tmp_path / "out.png") as written:
        expected = image.convert(written.mode)
        np.testing.assert_array_equal(np.asarray(written), np.asarray(expected))


@pytest.mark.parametrize(
    ("channels", "bits"), [(1, 1), (1, 2), (1, 4), (1, 8), (1, 16), (3, 8), (3, 16)]
)
def test_a_colour_that_is_not_shown_is_transparent(channels, bits, tmp_path):
    values = RNG.integers(0, 2 ** min(bits, 3), (4, 8, channels))
    values = values.astype("uint16" if bits == 16 else "uint8")
    hidden = chunk(b"tRNS", struct.pack(f">{channels}H", *values[1, 2]))
    (tmp_path / "in.png").write_bytes(png(values, hidden, bits=bits))
    photo = read_photo(tmp_path / "in.png")
    shown = np.any(values != values[1, 2], axis=-1)
    np.testing.assert_array_equal(photo.alpha[..., 0], shown)
    np.testing.assert_array_equal(np.rint(photo.picture * (2**bits - 1)), values)
    flat = np.where(shown[..., None], values / (2**bits - 1), 1.0)  # laid on white
    np.testing.assert_array_equal(read_picture(tmp_path / "in.png"), np.rint(255 * flat))


def test_of_16_bits_interlaced_all_come_back(tmp_path):
    # The smallest interlaced file: one pixel, which is the first of seven passes.
    data = bytearray(png(np.array([[[1, 513, 65534]]], "uint16")))
    data[28] = 1
    data[29:33] = struct.pack(">I", zlib.crc32(bytes(data[12:29])))
    (tmp_path / "in.png").write_bytes(data)
    picture = read_photo(tmp_path / "in.png").picture
    np.testing.assert_array_equal(np.rint(picture * 65535), [[[1, 513, 65534]]])


def test_16_bits_for_training_are_rounded(tmp_path):
    values = np.array([[[0, 128, 129], [65535, 65406, 65407]]], "uint16")  # 257 a grey level
    (tmp_path / "in.png").write_bytes(png(values))
    assert read_picture(tmp_path / "in.png").tolist() == [[[0, 0, 1], [255, 254, 255]]]


def test_16_bits_need_no_tensorflow(tmp_path):
    values = RNG.integers(0, 2**16, (12, 20, 3), dtype="uint16")
    (tmp_path / "in.png").write_bytes(png(values))
    code = f"""
import sys
sys.modules["tensorflow"] = None  # an import of it fails
from keras_imgen.data.photos import read_photo, read_picture, write_photo
write_photo({str(tmp_path / "out.png")!r}, read_photo({str(tmp_path / "in.png")!r}))
"""
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
    written = tf.io.decode_png((tmp_path / "out.png").read_bytes(), dtype=tf.uint16)
    np.testing.assert_array_equal(written, values)


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_what_a_jpeg_holds_beside_its_pixels_comes_back(mode, orientation, tmp_path):
    image = Image.fromarray(COLOURS).convert(mode)
    options = {"icc_profile": PROFILE, "dpi": (300, 150), "exif": notes_of(orientation)}
    photo = read_photo(file_of(image, tmp_path / "in.jpg", quality=100, **options))
    with Image.open(tmp_path / "in.jpg") as decoded:
        values = np.atleast_3d(np.asarray(decoded))
    np.testing.assert_array_equal(np.rint(255 * photo.picture), turned(values, orientation))
    write_photo(tmp_path / "out.png", photo)
    with Image.open(tmp_path / "out.png") as written:
        assert written.info["icc_profile"] == PROFILE
        dpi = (300, 150) if orientation < 5 else (150, 300)
        assert written.info["dpi"] == pytest.approx(dpi, abs=0.02)
        assert written.getexif().get(0x0112, 1) == 1
        assert written.getexif()[0x010F] == "Maker"


@pytest.mark.parametrize("dpi", [b"\0" * 9, b"\0\0\0\0\0\0\0\1\1", b"\xff" * 8 + b"\1"])
def test_a_resolution_without_meaning_is_left_out(dpi, tmp_path):
    (tmp_path / "in.png").write_bytes(png(COLOURS, chunk(b"pHYs", dpi)))
    write_photo(tmp_path / "out.png", read_photo(tmp_path / "in.png"))
    assert b"pHYs" not in parts_of(tmp_path / "out.png")


@pytest.mark.parametrize("profile", [None, b"no profile", PROFILE], ids=["none", "bad", "of light"])
def test_a_photograph_for_a_press_becomes_one_of_three_colours(profile, tmp_path):
    image = Image.fromarray(np.full((16, 16, 3), (200, 30, 60), "uint8")).convert("CMYK")
    options = {"quality": 100, "subsampling": 0, "icc_profile": profile}
    photo = read_photo(file_of(image, tmp_path / "in.jpg", **options))
    np.testing.assert_allclose(255 * photo.picture, np.full((16, 16, 3), (200, 30, 60)), atol=4)
    write_photo(tmp_path / "out.png", photo)
    with Image.open(tmp_path / "out.png") as written:
        assert written.mode == "RGB"
        assert "icc_profile" not in written.info  # it spoke of inks


def test_the_profile_of_a_press_is_used(tmp_path):
    inks = np.full((16, 16, 4), (0, 255, 255, 0), "uint8")  # magenta and yellow: red
    image = Image.fromarray(inks, "CMYK")
    options = {"quality": 100, "subsampling": 0, "icc_profile": press_profile()}
    photo = read_photo(file_of(image, tmp_path / "in.jpg", **options))
    # The profile's table says of all inks but black: L* = 50, a* = b* = 0, a middle grey.
    np.testing.assert_allclose(255 * photo.picture, 119, atol=2)
    np.testing.assert_allclose(read_picture(tmp_path / "in.jpg"), 119, atol=2)


def press_profile():
    """Return a profile of a press (ICC.1:2010) whose coloured inks are all one grey."""
    white = b"XYZ \0\0\0\0" + struct.pack(">3i", 0xF6D6, 0x10000, 0xD32D)
    identity = struct.pack(">2H", 0, 65535)
    # Lab in 16 bits, version 2; black ink, the last, changes the quickest.
    grey = struct.pack(">6H", 0x8000 - 128, 0x8000, 0x8000, 0, 0x8000, 0x8000) * 8
    table = b"mft2\0\0\0\0" + bytes([4, 3, 2, 0])
    table += struct.pack(">9i", *(0x10000 * (i % 4 == 0) for i in range(9)))
    table += struct.pack(">2H", 2, 2) + identity * 4 + grey + identity * 3
    text = b"text\0\0\0\0none\0"
    tags, body = [], b""
    for name, content in ((b"wtpt", white), (b"A2B0", table), (b"cprt", text), (b"desc", text)):
        tags.append((name, 132 + 4 * 12 + len(body), len(content)))
        body += content + b"\0" * (-len(content) % 4)
    directory = struct.pack(">I", 4) + b"".join(struct.pack(">4sII", *tag) for tag in tags)
    head = struct.pack(
        ">I4sI4s4s4s", 132 + 48 + len(body), b"\0" * 4, 0x02400000, b"prtr", b"CMYK", b"Lab "
    )
    head += struct.pack(">6H", 2020, 1, 1, 0, 0, 0) + b"acsp" + b"\0" * 28
    head += struct.pack(">3i", 0xF6D6, 0x10000, 0xD32D) + b"\0" * 48
    assert len(head) == 128
    return head + directory + body


def test_of_an_animation_the_first_picture_is_read(tmp_path):
    frames = [Image.fromarray(COLOURS), Image.fromarray(255 - COLOURS)]
    frames[0].save(tmp_path / "in.png", save_all=True, append_images=frames[1:])
    photo = read_photo(tmp_path / "in.png")
    assert photo.frames == 2
    np.testing.assert_array_equal(np.rint(255 * photo.picture), COLOURS)


def test_a_phone_s_file_of_several_pictures_is_read(tmp_path):
    image = Image.fromarray(COLOURS)
    options = {"save_all": True, "append_images": [image.resize((10, 6))], "quality": 100}
    image.save(tmp_path / "in.jpg", "MPO", **options)
    photo = read_photo(tmp_path / "in.jpg")
    assert photo.picture.shape == (12, 20, 3)
    assert photo.frames == 1  # the others are previews or depths: nothing is missed


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
