"""Films: read whole and frame by frame, written as they were, made of any digits, and restored."""

import builtins
import os
import re
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image
from small_runs import contents, fail, run

from keras_imgen import (
    Restorer,
    degradations,
    load_model,
    load_moving_digits,
    load_moving_photos,
    load_sequences,
    metrics,
    networks,
    plotting,
)
from keras_imgen.cli import command, datasets, inputs, ranges, recipes
from keras_imgen.data import Film, frames, sources, tfds, to_float, to_uint8, videos


def film(count=5, height=12, width=20, channels=1):
    """Return a film of smooth pictures in 8 bits: a bright stripe moves over a ramp."""
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    ramps = [(3 * x + 2 * y + 40 * c) % 90 + 90.0 * (x // 3 == t) for t in range(count) for c in
             range(channels)]  # fmt: skip
    return np.reshape(ramps, (count, channels, height, width)).transpose(0, 2, 3, 1).astype("uint8")


def write_frames(folder, pictures, name="f_{}.png", start=8):
    folder.mkdir(parents=True, exist_ok=True)
    for number, picture in enumerate(pictures, start):
        sources.as_image(picture).save(folder / name.format(number))
    return folder


def write_gif(path, pictures, seconds=None, repeats=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    frames.write_gif(path, pictures, seconds or [0.2] * len(pictures), repeats)
    return path


def write_video(path, pictures, seconds=0.04):
    pytest.importorskip("av")
    videos.write(path, pictures, seconds)
    return path


@pytest.fixture
def without_pyav(monkeypatch):
    found = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name == "av":
            raise ImportError("No module named 'av'")
        return found(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)


# What is read


def test_the_command_knows_the_films_that_are_read():
    assert set(inputs.FILMS) == set(frames.ENDINGS)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("count", [1, 5])
def test_a_gif_and_a_folder_are_read_to_the_last_bit(count, channels, tmp_path):
    pictures = film(count, channels=channels)
    for path in (
        write_gif(tmp_path / "a.gif", pictures),
        write_frames(tmp_path / "frames", pictures),
    ):
        read = Film(path)
        assert len(read) == count
        assert read.shape == (count, 12, 20, channels)
        np.testing.assert_array_equal(read.read(), to_float(pictures))
        for frame, picture in zip(read, pictures, strict=True):
            assert frame.dtype == np.float32
            np.testing.assert_array_equal(frame, to_float(picture))
    assert read.seconds is None
    assert [file.name for file in read.files] == [f"f_{n}.png" for n in range(8, 8 + count)]
    again = Film([str(file) for file in read.files])
    np.testing.assert_array_equal(again.read(), read.read())


def test_frames_keep_16_bits_and_mixed_ones_have_colour(tmp_path):
    deep = np.arange(12 * 20, dtype="uint16").reshape(12, 20) * 257 + 3
    write_frames(tmp_path, film(1, channels=3))
    Image.fromarray(deep).save(tmp_path / "f_100.png")
    (tmp_path / "below").mkdir()
    write_frames(tmp_path / "below", film(2))  # another film
    read = Film(tmp_path)
    assert read.shape == (2, 12, 20, 3)
    np.testing.assert_allclose(read.read()[1, ..., 2], deep / 65535.0, atol=1e-7)
    read.write(tmp_path / "out", read)
    np.testing.assert_array_equal(Film(tmp_path / "out").read(), read.read())


@pytest.mark.parametrize("repeats", [None, 0, 3])
def test_a_gif_keeps_its_pace_and_every_frame(repeats, tmp_path):
    pictures, seconds = film(4), [0.1, 0.25, 0.0, 1.3]
    pictures[2] = pictures[1]  # equal ones stay two
    path = write_gif(tmp_path / "a.gif", pictures, seconds, repeats)
    read, seconds[2] = Film(path), 0.1  # as browsers show one that says nothing
    assert read.seconds == seconds
    read.write(tmp_path / "new" / "b.gif", (1.0 - frame for frame in read))
    again = Film(tmp_path / "new" / "b.gif")
    assert again.seconds == seconds
    assert frames.gif_repeats(tmp_path / "new" / "b.gif") == repeats
    np.testing.assert_array_equal(to_uint8(again.read()), 255 - pictures)


def test_a_gif_of_other_programs_is_read_whole(tmp_path):
    # What they write of a frame is where it differs from the one before, partly transparent.
    pictures = film(6, channels=3)
    first, *others = map(Image.fromarray, pictures)
    first.save(tmp_path / "a.gif", save_all=True, append_images=others, duration=70, optimize=True)
    read = Film(tmp_path / "a.gif")
    np.testing.assert_allclose(read.read(), to_float(pictures), atol=2 / 255)
    assert read.seconds == [0.07] * 6


@pytest.mark.parametrize("ending", videos.FORMATS)
@pytest.mark.parametrize(("height", "channels"), [(48, 1), (47, 3)])
def test_a_video_comes_back_nearly_as_it_was(ending, height, channels, tmp_path):
    pictures = film(6, height, 64, channels)
    path = write_video(tmp_path / f"a{ending.upper()}", pictures, 1001 / 30000)
    read = Film(path)
    assert read.shape == pictures.shape
    assert read.seconds == [pytest.approx(1001 / 30000)] * 6
    error = np.mean((read.read() - to_float(pictures)) ** 2)
    assert 1e-7 < error < 1e-3
    read.write(tmp_path / f"b{ending}", read.read())
    again = Film(tmp_path / f"b{ending}")
    assert again.shape == read.shape
    assert again.seconds == read.seconds
    assert np.mean((read.read() - again.read()) ** 2) < 1e-3
    with pytest.raises(ValueError, match=f"Pass a name that ends in {ending}."):
        read.write(tmp_path / "b.gif", read.read())


def with_sound(path, pictures, codec):
    """Write a video with half a second of noise."""
    av = pytest.importorskip("av")
    rng = np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.height, stream.width, stream.pix_fmt = *pictures.shape[1:3], "yuv420p"
        sound = container.add_stream(codec, rate=48000)
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        for number in range(24):
            noise = rng.normal(0, 0.1, (2, 1024)).astype("float32")
            frame = av.AudioFrame.from_ndarray(noise, format="fltp", layout="stereo")
            frame.sample_rate, frame.pts = 48000, 1024 * number
            container.mux(sound.encode(frame))
        container.mux(stream.encode())
        container.mux(sound.encode())
    return path


def sound_of(path):
    import av

    with av.open(str(path)) as container:
        return [bytes(p) for p in container.demux(container.streams.audio[0]) if p.size]


@pytest.mark.parametrize(("ending", "codec"), [(".mp4", "aac"), (".mkv", "libopus")])
def test_a_video_keeps_its_sound(ending, codec, tmp_path):
    path = with_sound(tmp_path / f"a{ending}", film(5, 32, 48, 3), codec)
    read = Film(path)
    read.write(tmp_path / f"b{ending}", read)
    assert len(sound_of(path)) > 20
    assert sound_of(tmp_path / f"b{ending}") == sound_of(path)
    assert Film(tmp_path / f"b{ending}").shape == (5, 32, 48, 3)


@pytest.mark.parametrize("angle", [0, 90, 180, -90])
def test_a_video_is_turned_as_the_camera_noted(angle, tmp_path, monkeypatch):
    # As FFmpeg has it: degrees counterclockwise by which a frame must be turned.
    path = write_video(tmp_path / "a.mp4", film(3, 32, 48))
    upright = Film(path).read()

    class Stream:
        def __init__(self, frames):
            self.frames = frames

        def __next__(self):
            frame = next(self.frames)
            return type("F", (), {"rotation": angle, "to_ndarray": frame.to_ndarray})

    opened = videos._opened

    class Container:
        def __init__(self, container):
            self.streams, self.decoded = container.streams, container.decode

        def decode(self, stream):
            return Stream(self.decoded(stream))

    def turned(file):
        manager = opened(file)
        container = manager.__enter__()

        class Manager:
            def __enter__(self):
                return Container(container)

            def __exit__(self, *error):
                return manager.__exit__(*error)

        return Manager()

    monkeypatch.setattr(videos, "_opened", turned)
    expected = np.rot90(upright, angle // 90, axes=(1, 2))
    np.testing.assert_array_equal(Film(path).read(), expected)


def test_one_frame_at_a_time_is_in_memory(tmp_path, monkeypatch):
    path = write_gif(tmp_path / "a.gif", film(5))
    read, order = Film(path), []
    kept = frames._gif_frames

    def counted(file):
        for pair in kept(file):
            order.append("read")
            yield pair

    monkeypatch.setattr(frames, "_gif_frames", counted)

    def restored():
        for frame in read:
            order.append("restored")
            yield frame

    read.write(tmp_path / "b.gif", restored())
    assert order == ["read", "restored"] * 5


@pytest.mark.parametrize("size", [(100, 120), (150, 199)])
def test_a_frame_of_many_colours_gets_those_that_are_best_for_it(size, tmp_path):
    y, x = np.meshgrid(*(np.linspace(0, 255, side) for side in size), indexing="ij")
    picture = np.stack([y, x, (x + y) / 2], axis=-1).astype("uint8")
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 9000
    path = write_gif(tmp_path / "a.gif", [picture, 255 - picture])
    errors = Film(path).read() * 255.0 - np.stack([picture, 255 - picture])
    # 16 x 16 colours of 16 x 16 levels each: an error of up to 8, 4.6 on the mean square.
    assert 2.0 < np.sqrt(np.mean(errors**2)) < 6.0
    grey = np.tile(np.arange(256, dtype="uint8"), (200, 1))[..., None]
    np.testing.assert_array_equal(to_uint8(Film(write_gif(path, [grey])).read()), grey[None])


def test_a_film_is_written_with_its_own_number_of_frames(tmp_path):
    pictures = film(3)
    write_gif(tmp_path / "a.gif", pictures)
    write_frames(tmp_path / "a", pictures)
    whole = to_float(pictures)
    for name in ("a.gif", "a"):
        read, target = Film(tmp_path / name), tmp_path / "out" / name
        for restored, said in (
            (whole[:2], "as it has, 3, .* Received: 2 frames"),
            (np.concatenate([whole, whole]), "Received: more frames"),
            (whole[..., 0], r"Received: shape=\(12, 20\)"),
            (whole[None], r"Received: shape=\(3, 12, 20, 1\)"),
            (255.0 * whole, "must lie in .0, 1.. Received: values from 9 to"),
            (2.0 * whole - 1.0, "map pictures in .-1, 1. with"),
            (np.nan * whole, "must be finite"),
            (pictures, "Convert pictures of 8 bits with keras_imgen.data.to_float"),
        ):
            with pytest.raises(ValueError, match=said):
                read.write(target, restored)
        assert name == "a" or not target.exists()
        read.write(target, iter(whole))
        np.testing.assert_array_equal(Film(target).read(), whole)


def test_results_that_are_there_are_seen_before_keras_is_imported(tmp_path, monkeypatch, capsys):
    path = write_gif(tmp_path / "a.gif", film(2))
    monkeypatch.setattr(command, "_import_quietly", fail(AssertionError("Keras was imported")))
    assert run("restore", "denoiser-gray", path, "--out", tmp_path) == 2
    assert "a.gif' exists and is not overwritten" in capsys.readouterr().err


# What cannot be read


def test_a_film_says_what_is_wrong_with_it(tmp_path, monkeypatch):
    whole = write_gif(tmp_path / "a.gif", film(5)).read_bytes()
    (tmp_path / "head.gif").write_bytes(whole[:8])
    (tmp_path / "half.gif").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.gif").write_text("no film")
    Image.fromarray(film(1)[0, ..., 0]).save(tmp_path / "png.gif", "PNG")
    os.mkfifo(tmp_path / "pipe.gif")
    for name in ("head", "half", "text", "png", "pipe"):
        with pytest.raises(ValueError, match=rf"{name}.gif' cannot be read as a film: ") as error:
            Film(tmp_path / f"{name}.gif")
        assert "\n" not in str(error.value)
    with pytest.raises(FileNotFoundError, match="There is no film '.*no.gif'"):
        Film(tmp_path / "no.gif")
    (tmp_path / "folder.gif").mkdir()
    with pytest.raises(FileNotFoundError, match="There is no PNG or JPEG file in .*folder.gif'"):
        Film(tmp_path / "folder.gif")
    with pytest.raises(ValueError, match="at least one frame"):
        Film([])
    write_frames(tmp_path / "sizes", film(2))
    write_frames(tmp_path / "sizes", film(1, 5, 7), start=99)
    with pytest.raises(
        ValueError, match=r"equal sizes. Received: 5 x 7 and 12 x 20 pixels up to frame 3 of"
    ):
        Film(tmp_path / "sizes")
    monkeypatch.setattr(sources, "MAX_BYTES", 3000)
    with pytest.raises(
        ValueError, match=r"a.gif', 5 frames of 12 x 20 pixels.* Cut it into shorter films, or"
    ):
        Film(tmp_path / "a.gif").read()


def test_a_damaged_video_says_so(tmp_path):
    whole = write_video(tmp_path / "a.mp4", film(5, 32, 48)).read_bytes()
    (tmp_path / "half.mp4").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.webm").write_text("no film")
    (tmp_path / "empty.avi").write_bytes(b"")
    # What leads FFmpeg to other files, whatever it is called.
    (tmp_path / "list.mkv").write_text("ffconcat version 1.0\nfile a.mp4\n")
    (tmp_path / "list.mov").write_text("#EXTM3U\n#EXTINF:1,\na.mp4\n#EXT-X-ENDLIST\n")
    for name in ("half.mp4", "text.webm", "empty.avi", "list.mkv", "list.mov"):
        with pytest.raises(ValueError, match=rf"{name}' cannot be read as a film: "):
            Film(tmp_path / name)


def test_an_enormous_or_silent_video_is_refused(tmp_path, monkeypatch):
    path = write_video(tmp_path / "a.mp4", film(2, 32, 48))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 700)
    with pytest.raises(ValueError, match="it has more than 0 million pixels"):
        Film(path)


@pytest.mark.usefixtures("without_pyav")
def test_a_video_without_pyav_says_what_to_install(tmp_path, capsys):
    (tmp_path / "a.mp4").write_bytes(b"film")
    write_gif(tmp_path / "b.gif", film(4))
    with pytest.raises(ImportError, match=r"a.mp4' is a video, .* pip install av. GIF files"):
        Film(tmp_path / "a.mp4")
    with pytest.warns(UserWarning, match=r"1 of 2 files .* pip install av"):
        assert load_sequences(tmp_path, num_frames=4).num_pictures == 1


# Sets of films


def test_videos_are_sequences_to_learn_from(tmp_path):
    pictures = film(7, 32, 48)
    write_video(tmp_path / "a.mp4", pictures)
    write_gif(tmp_path / "b.gif", pictures)
    read = load_sequences(tmp_path, num_frames=3, shuffle=False)
    assert read.pictures.shape == (4, 3, 32, 48, 1)
    np.testing.assert_allclose(read.pictures[:2], read.pictures[2:], atol=30)
    np.testing.assert_array_equal(read.pictures[2:].reshape(6, 32, 48, 1), pictures[:6])


def test_the_command_trains_on_gifs_and_videos(tmp_path):
    write_video(tmp_path / "a.mp4", film(6, 32, 48))
    write_gif(tmp_path / "b.gif", film(6, 32, 48))
    args = command._parser().parse_args(["train", "sequence", "--data", str(tmp_path)])
    args.frames = 3
    train, held_out = datasets.load_data(args, recipes.RECIPES["sequence"])
    assert train.pictures.shape == (3, 3, 32, 48, 1)
    assert held_out.pictures.shape == (1, 3, 32, 48, 1)


def test_a_film_larger_than_memory_is_refused_before_it_is_read(tmp_path, monkeypatch):
    write_gif(tmp_path / "a.gif", film(9))
    read, kept = [], frames._gif_frames
    monkeypatch.setattr(
        frames, "_gif_frames", lambda file: (read.append(1) or pair for pair in kept(file))
    )
    monkeypatch.setattr(sources, "MAX_BYTES", 3 * 240)
    with pytest.raises(ValueError, match="1 sequences and more in .* Pass a smaller `size`"):
        load_sequences(tmp_path, num_frames=2)
    assert len(read) == 4


def moving(digits, monkeypatch, split="train", **options):
    monkeypatch.setattr(tfds, "read_tfds", lambda *args: (digits, None, None))
    options = {"num_sequences": 6, "num_digits": 1, "num_frames": 4, "size": (30, 41)} | options
    return load_moving_digits(split, source="mnist", **options)


def test_other_pictures_move_as_well(monkeypatch):
    levels = np.arange(1, 10, dtype="uint8")
    digits = np.tile(levels.reshape(-1, 1, 1, 1), (12, 20, 1))
    made = moving(digits, monkeypatch)
    assert made.shuffle
    assert made.image_shape == (4, 30, 41, 1)
    for sequence in made.pictures:
        assert len(np.unique(sequence)) == 2
        assert np.sum(sequence > 0) == 4 * 12 * 20
    assert len({int(sequence.max()) for sequence in made.pictures}) > 1
    parts = [moving(digits, monkeypatch, s).pictures for s in ("train[:50%]", "train[50%:]")]
    assert not np.array_equal(*parts)
    assert moving(digits, monkeypatch, "train[:9%]").shuffle
    assert not moving(digits, monkeypatch, "test").shuffle
    with pytest.raises(ValueError, match=r"12 x 20 pixels. Received: size=12. Pass at least 20"):
        moving(digits, monkeypatch, size=12)


@pytest.mark.parametrize(
    ("digits", "reason"),
    [
        (np.zeros((3, 8, 8, 3), "uint8"), "not grey"),
        ([np.zeros((8, 8, 1), "uint8"), np.zeros((9, 8, 1), "uint8")], "not of one size"),
    ],
)
def test_what_moves_is_grey_and_of_one_size(digits, reason, monkeypatch):
    with pytest.raises(ValueError, match=f'pictures are {reason}. Pass "mnist"'):
        moving(digits, monkeypatch)
    with pytest.raises(TypeError, match="`source` must be a string. Received: 3"):
        load_moving_digits(source=3)
    with pytest.raises(TypeError, match="`split` must be a string. Received: None"):
        load_moving_digits(None)


def test_all_of_mnist_moves():
    shared = Path(__file__).parents[2] / "shared" / "data" / "tfds"
    folder = Path(os.environ.get("KERAS_IMGEN_TFDS", shared))
    if not (folder / "mnist").is_dir():
        pytest.skip("KERAS_IMGEN_TFDS names no folder in which TFDS has prepared mnist")
    made = load_moving_digits(
        "test[:2%]", source="mnist", data_dir=folder, num_sequences=3, num_frames=20, size=64
    )
    assert made.pictures.shape == (3, 20, 64, 64, 1)
    assert 0.02 < made.pictures.mean() / 255 < 0.2


# The command


def over_time(observed, restored):
    """Return a network that sees a frame and those before and behind it, and saves in no time."""
    seen = keras.Input((None, 12, 20, observed))
    return keras.Model(seen, keras.layers.Conv3D(restored, 3, padding="same")(seen))


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Return a folder of tiny models: of films with lost frames, of noisy ones, of pictures."""
    folder = tmp_path_factory.mktemp("models")
    keras.utils.set_random_seed(0)
    noise, lost = degradations.AdditiveNoise(0.1, seed=0), degradations.MissingFrames(1, seed=0)
    built = {
        "lost": (over_time(2, 1), lost),
        "lost_colour": (over_time(4, 3), lost),
        "colour": (over_time(3, 3), noise),
        "noise": (over_time(1, 1), noise),
        "pictures": (networks.dncnn((None, None, 1), depth=3, filters=2), noise),
    }
    for name, parts in built.items():
        Restorer(*parts).save(folder / f"{name}.keras")
    return folder


@pytest.mark.parametrize("told", [True, 0.5])
def test_a_film_is_restored_for_the_noise_that_is_told(told, tmp_path, capsys):
    noise = degradations.AdditiveNoise((0.0, 0.3), append_level=told, seed=0)
    for causal in (True, False):  # frame by frame, and whole
        network = networks.conv_lstm((None, None, 1), extra_channels=1, filters=2, causal=causal)
        for number, variable in enumerate(network.trainable_variables):
            rng = np.random.default_rng(number)
            variable.assign(rng.normal(0.0, 0.2, variable.shape))
        model = Restorer(network, noise, seed=0)
        model.save(tmp_path / "model.keras")
        write_frames(tmp_path / "a", film(3))
        command = ("restore", tmp_path / "model.keras", tmp_path / "a", "--out")
        assert run(*command, tmp_path / f"told {causal}", "--sigma", 51) == 0
        expected = model.restore(to_float(film(3))[None], level=0.2)[0]
        found = Film(tmp_path / f"told {causal}").read()
        np.testing.assert_array_equal(to_uint8(found), to_uint8(expected))
        status = run(*command, tmp_path / f"not told {causal}")
        assert (status == 2) is (told is True)
        refused = "must be told how noisy a film is. Pass --sigma" in capsys.readouterr().err
        assert refused is (told is True)


def test_every_film_is_restored_by_itself(models, tmp_path, monkeypatch, capsys):
    """Folders of frames and GIF files, by name or by folder, as Python restores them."""
    monkeypatch.chdir(tmp_path)
    clips = {name: film(3 + number) for number, name in enumerate(("a", "b", "set/c", "set/g"))}
    for pictures in clips.values():
        pictures[:] += np.uint8(len(pictures))
    for name in ("a", "b", "set/c"):
        write_frames(tmp_path / name, clips[name])
    write_gif(tmp_path / "set" / "g.gif", clips["set/g"], [0.3] * 6)
    model = load_model(models / "noise.keras")
    restored = {n: model.restore(to_float(p)[None])[0] for n, p in clips.items()}
    assert run("restore", models / "noise.keras", "a", "b", "set", "--out", "out") == 0
    for name in ("a", "b", "set/c"):
        np.testing.assert_array_equal(
            to_uint8(Film(tmp_path / "out" / name).read()), to_uint8(restored[name])
        )
    made = Film(tmp_path / "out" / "set" / "g.gif")
    np.testing.assert_array_equal(to_uint8(made.read()), to_uint8(restored["set/g"]))
    assert made.seconds == [0.3] * 6
    printed = capsys.readouterr()
    assert printed.err == ""
    assert f"a -> {Path('out/a')} (3 frames)" in printed.out
    assert printed.out.count(" -> ") == 4
    # One folder alone: its frames go straight into --out. Files given one by one are one film.
    assert run("restore", models / "noise.keras", "b", "--out", "one") == 0
    files = [Path("b") / name for name in sorted(os.listdir("b"), key=len)]
    assert run("restore", models / "noise.keras", *files, "set/g.gif", "--out", "two") == 0
    for folder in ("one", "two"):
        np.testing.assert_array_equal(
            to_uint8(Film(tmp_path / folder).read()), to_uint8(restored["b"])
        )
    assert contents(tmp_path / "two").keys() == {
        *(tmp_path / "two" / f.name for f in files),
        tmp_path / "two" / "g.gif",
    }


def test_a_single_frame_is_said_to_lie_where_it_does(models, tmp_path, capsys):
    write_frames(tmp_path / "a", film(1))
    (file,) = (tmp_path / "a").iterdir()
    assert run("restore", models / "noise.keras", file, "--out", tmp_path / "out") == 0
    assert f"{file} -> {tmp_path / 'out' / file.name} (1 frame)" in capsys.readouterr().out


def test_nothing_is_restored_twice_and_a_cut_off_film_goes_on(models, tmp_path, capsys):
    write_frames(tmp_path / "a", film(4))
    write_gif(tmp_path / "g.gif", film(3))
    command = ("restore", models / "noise.keras", tmp_path / "a", tmp_path / "g.gif")
    command = (*command, "--out", tmp_path / "out")
    assert run(*command) == 0
    before = contents(tmp_path)
    assert run(*command) == 2
    assert "f_8.png' and 3 more exist and are not overwritten" in capsys.readouterr().err
    (tmp_path / "out" / "a" / "f_9.png").unlink()
    assert run(*command) == 1
    assert contents(tmp_path) == before


def test_a_bad_film_holds_up_no_other(models, tmp_path, capsys):
    write_gif(tmp_path / "in" / "good.gif", film(3))
    (tmp_path / "in" / "bad.gif").write_bytes(b"GIF89a")
    (tmp_path / "in" / "notes.txt").write_text("notes")
    write_frames(tmp_path / "in" / "sizes", film(2))
    write_frames(tmp_path / "in" / "sizes", film(1, 5, 7), start=99)
    write_frames(tmp_path / "in" / "large", film(2, 13, 21))
    write_frames(tmp_path / "in" / "twice", film(2))
    write_frames(tmp_path / "in" / "twice", film(2), "f_{}.jpg")
    assert run("restore", models / "noise.keras", tmp_path / "in", "--out", tmp_path / "o") == 1
    printed = capsys.readouterr()
    assert printed.out.count(" -> ") == 1
    said = printed.err.splitlines()
    assert len(said) == 5
    for part in (
        "bad.gif' cannot be read",
        "equal sizes",
        "both become",
        ".txt (1)",
        "large', of 21 x 13",
    ):
        assert sum(part in line for line in said) == 1, part
    assert list(contents(tmp_path / "o")) == [tmp_path / "o" / "good.gif"]
    (tmp_path / "none").mkdir()
    assert run("restore", models / "noise.keras", tmp_path / "none", "--out", tmp_path / "o") == 2
    assert "There is no film in" in capsys.readouterr().err


def test_a_film_longer_than_memory_is_named(models, tmp_path, monkeypatch, capsys):
    write_gif(tmp_path / "long.gif", film(9))
    write_gif(tmp_path / "short.gif", film(2))
    monkeypatch.setattr(sources, "MAX_BYTES", 5 * 4 * 240)
    files = (tmp_path / "long.gif", tmp_path / "short.gif")
    assert run("restore", models / "noise.keras", *files, "--out", tmp_path / "out") == 1
    assert "long.gif', 9 frames of 12 x 20 pixels" in capsys.readouterr().err
    assert list(contents(tmp_path / "out")) == [tmp_path / "out" / "short.gif"]


def test_colours_are_restored_one_by_one_and_grey_becomes_three(models, tmp_path, capsys):
    pictures = film(3, channels=3)
    write_frames(tmp_path / "a", pictures)
    assert run("restore", models / "noise.keras", tmp_path / "a", "--out", tmp_path / "out") == 0
    model = load_model(models / "noise.keras")
    planes = np.moveaxis(to_float(pictures), -1, 0)[..., None]
    expected = np.moveaxis(model.restore(planes)[..., 0], 0, -1)
    np.testing.assert_allclose(Film(tmp_path / "out").read(), expected, atol=0.51 / 255)
    # Grey noise is none that a model of colours knows, as with pictures.
    write_frames(tmp_path / "grey", film(3))
    command = ("restore", models / "colour.keras", tmp_path / "grey", "--out", tmp_path / "no")
    assert run(*command) == 2
    assert "colour to colour. Train one with --channels 1" in capsys.readouterr().err
    model = load_model(models / "lost_colour.keras")
    command = ("restore", models / "lost_colour.keras", tmp_path / "grey", "--lost", 2)
    assert run(*command, "--out", tmp_path / "mean") == 0
    grey = to_float(film(3)).repeat(3, axis=-1)[None]
    known = np.array([1, 0, 1]).reshape(1, 3, 1, 1, 1)
    expected = model.restore(grey, known=known)[0].mean(axis=-1, keepdims=True)
    made = Film(tmp_path / "mean")
    assert made.shape == (3, 12, 20, 1)
    np.testing.assert_allclose(made.read(), expected, atol=0.51 / 255)


def test_lost_frames_are_not_seen(models, tmp_path, capsys):
    pictures = film(6)
    model = load_model(models / "lost.keras")
    known = np.ones((1, 6, 1, 1, 1))
    known[:, [1, 3, 4]] = 0.0
    expected = to_uint8(model.restore(to_float(pictures)[None], known=known)[0])
    for name, there in (("a", 0), ("b", 255)):
        pictures[[1, 3, 4]] = there
        write_gif(tmp_path / f"{name}.gif", pictures)
        command = ("restore", models / "lost.keras", tmp_path / f"{name}.gif", "--lost", "2,4-5")
        assert run(*command, "--out", tmp_path / "out") == 0
        np.testing.assert_array_equal(
            to_uint8(Film(tmp_path / "out" / f"{name}.gif").read()), expected
        )
    assert capsys.readouterr().err == ""
    command = ("restore", models / "lost.keras", tmp_path / "b.gif", "--out", tmp_path / "o")
    for lost, said in (
        ("7", "from 1 to 6 in '.*b.gif'. Received: 7"),
        ("1-6", "--lost names every frame"),
    ):
        assert run(*command, "--lost", lost) == 2
        assert re.search(said, capsys.readouterr().err)
    assert run(*command, "--lost", "2", "--degrade") == 2
    assert "--degrade chooses itself" in capsys.readouterr().err
    mask = np.zeros((12, 20), "uint8")
    mask[2:5, 3:9] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    assert run(*command, "--lost", "2", "--mask", tmp_path / "mask.png") == 0
    known = np.broadcast_to((mask == 0)[..., None], (1, 6, 12, 20, 1)).astype("float32")
    known = known * (np.arange(6) != 1).reshape(1, 6, 1, 1, 1)
    expected = model.restore(to_float(pictures)[None], known=known)[0]
    np.testing.assert_array_equal(
        to_uint8(Film(tmp_path / "o" / "b.gif").read()), to_uint8(expected)
    )


def test_what_may_be_lost_is_said(models, tmp_path, capsys):
    def said(path, name):
        command = ("restore", models / "lost.keras", path, "--out", tmp_path / "out" / name)
        assert run(*command) == 0
        return capsys.readouterr().err

    pictures = film(6)
    path = write_gif(tmp_path / "a.gif", pictures)
    assert "No frame of '" in (text := said(path, "a"))
    assert "--lost 3,7-9, for example" in text
    model = load_model(models / "lost.keras")
    expected = model.restore(to_float(pictures)[None], known=np.ones((1, 6, 1, 1, 1)))[0]
    made = Film(tmp_path / "out" / "a" / "a.gif").read()
    np.testing.assert_array_equal(to_uint8(made), to_uint8(expected))
    pictures[[1, 3, 4]] = 2
    assert "If they are lost, pass --lost 2,4-5." in said(
        write_gif(tmp_path / "b.gif", pictures), "b"
    )
    folder = write_frames(tmp_path / "gap", film(6), start=98)
    (folder / "f_100.png").unlink()
    text = said(folder, "gap")
    assert "there is no 100. To have it made, copy any other frame to its name" in text
    assert "pass --lost 3." in text
    for number in (98, 99):
        (folder / f"f_{number}.png").rename(folder / f"f_{number // 10}.png")  # in steps
    assert "No frame of" in said(folder, "steps")


def test_a_film_with_frames_lost_on_purpose(models, tmp_path):
    path = write_gif(tmp_path / "a.gif", film(4))
    for name in ("lost", "noise"):
        command = ("restore", models / f"{name}.keras", path, "--degrade")
        assert run(*command, "--out", tmp_path / name) == 0
        assert Film(tmp_path / name / "a.gif").shape == (4, 12, 20, 1)


def test_a_video_in_a_video_out(models, tmp_path):
    path = write_video(tmp_path / "a.mp4", film(4), 0.1)
    for name in ("noise", "pictures"):
        assert run("restore", models / f"{name}.keras", path, "--out", tmp_path / name) == 0
        made = Film(tmp_path / name / "a.mp4")
        assert made.shape[:3] == (4, 12, 20)
        assert made.seconds == [pytest.approx(0.1)] * 4


@pytest.mark.usefixtures("without_pyav")
@pytest.mark.parametrize("name", ["noise", "pictures"])
def test_the_command_says_what_to_install(name, models, tmp_path, capsys):
    (tmp_path / "a.mp4").write_bytes(b"film")
    path = write_gif(tmp_path / "b.gif", film(2))
    command = ("restore", models / f"{name}.keras", tmp_path / "a.mp4", path)
    assert run(*command, "--out", tmp_path / "out") == 1
    assert capsys.readouterr().err.count("pip install av") == 1
    assert list(contents(tmp_path / "out")) == [tmp_path / "out" / "b.gif"]


def test_a_model_of_pictures_restores_each_frame(models, tmp_path, monkeypatch, capsys):
    pictures = film(3)
    path = write_gif(tmp_path / "in" / "a.gif", pictures, [0.5, 0.1, 0.1])
    write_frames(tmp_path / "in", film(1))
    model, out = models / "pictures.keras", ("--out", tmp_path / "out")
    assert run("restore", model, tmp_path / "in", *out) == 0  # photographs alone
    assert "To have every frame of a film restored, name the film" in capsys.readouterr().err
    assert os.listdir(tmp_path / "out") == ["f_8.png"]
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert run("restore", model, path, *out) == 0
    printed = capsys.readouterr()
    assert "(3 frames, each by itself)" in printed.out
    assert "3/3" in printed.out
    assert printed.err == ""
    made = Film(tmp_path / "out" / "a.gif")
    expected = load_model(models / "pictures.keras").restore(to_float(pictures))
    np.testing.assert_array_equal(to_uint8(made.read()), to_uint8(expected))
    assert made.seconds == [0.5, 0.1, 0.1]
    command = ("restore", model, path, "--out", tmp_path / "no")
    assert run(*command, "--map", tmp_path / "maps") == 2
    assert "--map is for single pictures, and this is a film" in capsys.readouterr().err
    assert run(*command, "--lost", "2") == 2
    assert "--lost is for models of films" in capsys.readouterr().err


@pytest.mark.parametrize("option", [("--map", "maps"), ("--undo", "blur=1")])
def test_a_film_is_neither_mapped_nor_undone(option, models, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_gif(tmp_path / "a.gif", film(2))
    assert run("restore", models / "noise.keras", "a.gif", *option) == 2
    assert option[0] in capsys.readouterr().err
    assert os.listdir() == ["a.gif"]


def test_numbers_of_frames_are_read_as_they_are_written():
    for text, numbers in (("3", [3]), ("3,7-9", [3, 7, 8, 9]), ("9,1-2,2", [1, 2, 9])):
        assert ranges.read(text) == numbers
        assert ranges.read(ranges.written(numbers)) == numbers
    assert ranges.written([1, 2, 9]) == "1-2,9"
    for text in ("", "0", "-1", "3-", "9-3", "x", "1.5", "1,,2", "9" * 30, "٣"):
        with pytest.raises(ranges.argparse.ArgumentTypeError, match="such as 3,7-9, not"):
            ranges.read(text)


def test_save_gif_and_films_agree(tmp_path):
    pictures = to_float(film(4, channels=3))
    plotting.save_gif(tmp_path / "a.gif", pictures, seconds=0.2)
    np.testing.assert_array_equal(Film(tmp_path / "a.gif").read(), pictures)


@pytest.mark.parametrize("lost", [(), ("--lost", "2,4")], ids=["none", "two"])
def test_a_causal_model_restores_films_that_are_never_whole(lost, tmp_path, monkeypatch):
    network = networks.conv_lstm(extra_channels=1, filters=2, causal=True)
    rng = np.random.default_rng(0)
    for weight in network.weights:
        weight.assign(0.2 * rng.random(weight.shape) - 0.05)
    model = Restorer(network, degradations.MissingFrames(1, seed=0), seed=0)
    model.save(tmp_path / "causal.keras")
    clean = film(6, 11, 13)
    folder = write_frames(tmp_path / "frames", clean)
    known = np.ones((1, 6, 1, 1, 1))
    known[:, [1, 3] if lost else []] = 0.0
    expected = to_uint8(model.restore(to_float(clean)[None], known=known)[0])
    monkeypatch.setattr(Film, "read", lambda film: pytest.fail("read whole"))
    out = tmp_path / "out"
    run("restore", tmp_path / "causal.keras", folder, "--out", out, *lost)
    found = Film(out).files
    assert len(found) == 6
    for file, frame in zip(found, expected, strict=True):
        np.testing.assert_allclose(sources.as_image(frame), Image.open(file), atol=1)
    assert np.ptp(expected.astype(int) - clean) > 5


def test_the_restorer_of_films_that_ships(tmp_path):
    clean = load_moving_photos("test", num_sequences=1, num_frames=5, size=(40, 56)).pictures[0]
    damaged = clean.copy()
    damaged[2] = 255  # whatever stands in a lost frame is not seen
    folder = write_frames(tmp_path / "frames", damaged)
    assert run("restore", "film-gray", folder, "--lost", "3", "--out", tmp_path / "out") == 0
    restored = Film(tmp_path / "out").read()
    assert restored.shape == clean.shape
    blend = to_float(clean[[1, 3]]).mean(axis=0)
    found, blended = (metrics.psnr(to_float(clean[2]), x) for x in (restored[2], blend))
    assert found > blended
