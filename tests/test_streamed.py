"""Pictures that stay in their files: the same batches as in memory, each file read once."""

import pickle
import shutil
import warnings

import keras
import numpy as np
import pytest
import test_photos as photos
from PIL import Image

import keras_imgen
from keras_imgen import (
    Restorer,
    callbacks,
    cli,
    degradations,
    load_folder,
    load_sequences,
    networks,
    plotting,
)
from keras_imgen.data import photos as reading
from keras_imgen.data import sources, streamed
from keras_imgen.training.sets import Share, Stream


@pytest.fixture
def folder(tmp_path):
    """Return a folder of 23 pictures of sizes from 20 x 20, grey and coloured, of both kinds."""
    rng = np.random.default_rng(0)
    (tmp_path / "pictures").mkdir()
    for number in range(23):
        height, width = rng.integers(20, 60, 2)
        shape = (height, width, 3) if number % 3 else (height, width)
        image = Image.fromarray(rng.integers(0, 256, shape, "uint8"))
        image.save(tmp_path / "pictures" / f"{number}.{('jpg', 'png')[number % 2]}")
    return tmp_path / "pictures"


@pytest.fixture
def reads(monkeypatch):
    """Return the list of files that were read, whole, since."""
    files = []

    def read(file):
        files.append(file)
        return reading.read_picture(file)

    monkeypatch.setattr(streamed, "read_picture", read)
    return files


def loaded(folder, **options):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".* are grey and are used as coloured ones")
        warnings.filterwarnings("ignore", ".* enlarged to")
        return load_folder(folder, batch_size=4, seed=3, **options)


def wait_for(pictures):
    """Return when nothing is being read."""
    for reading_ in list(pictures._read.values()):
        reading_.exception()


def batches(dataset, epoch=0):
    dataset.epoch = epoch
    return [dataset[index] for index in range(len(dataset))]


OPTIONS = [
    {"size": 32},
    {"size": (32, 24), "channels": 3, "shuffle": False},
    {"size": (16, 9), "crops": 5},
    {"size": 16, "crops": 5, "channels": 1, "shuffle": False},
    {"size": 16, "crops": 1},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_batches_are_those_that_they_are_in_memory(options, folder):
    there, here = (loaded(folder, stream=stream, **options) for stream in (False, True))
    for epoch in (0, 1, 7):
        for a, b in zip(batches(there, epoch), batches(here, epoch), strict=True):
            np.testing.assert_array_equal(b[0], a[0])
    np.testing.assert_array_equal(here.take(6), there.take(6))
    assert here.image_shape == there.image_shape


@pytest.mark.parametrize("steps", [None, 3])
@pytest.mark.parametrize(
    "options",
    [{"size": 20}, {"size": 20, "shuffle": False}, {"size": 16, "crops": 3}],
    ids=str,
)
def test_each_of_several_processes_has_its_own_rows(options, steps, folder):
    whole = loaded(folder, channels=1, stream=True, **options)
    whole.epoch = 1
    parts = [loaded(folder, channels=1, stream=True, **options) for _ in range(2)]
    if steps:
        whole, *parts = (Stream(each, steps) for each in (whole, *parts))
        whole.epoch = 1
    shares = [Share(part, rank, 2) for rank, part in enumerate(parts)]
    for part in parts:
        part.epoch = 1
    for index in range(len(whole)):
        (batch,) = whole[index]
        (first,), (second,) = (share[index] for share in shares)
        half = len(batch) // 2
        np.testing.assert_array_equal(first, batch[:half])
        np.testing.assert_array_equal(second, batch[half : 2 * half])


def test_a_process_reads_no_pictures_of_the_others(folder, reads):
    share = Share(loaded(folder, channels=1, stream=True, size=20), 1, 2)
    share[0]
    wait_for(share.dataset.pictures)
    assert len(set(reads)) <= 1 + 2 + 2  # the first one for its shape, its own, and the next ones


def test_one_process_alone_has_batches_as_they_are():
    class Odd(keras.utils.PyDataset):
        def __len__(self):
            return 2

        def __getitem__(self, index):
            return {"image": np.zeros((3, 4, 6, 1), "float32"), "number": 7}  # which has no rows

    assert Stream(Odd(), 2)[1]["number"] == 7


def test_shares_of_what_is_drawn_anew_are_of_one_draw():
    data = keras_imgen.load("digits", batch_size=10, binarize="dynamic")
    (batch,) = data[2]
    (first,), (second,), (third,) = (Share(data, rank, 3)[2] for rank in range(3))
    np.testing.assert_array_equal(np.concatenate([first, second, third]), batch[:9])


@pytest.mark.parametrize("steps", [None, 3])
def test_shares_of_a_subclass_are_of_its_own_batches(steps):
    class Mirrored(keras_imgen.data.PictureDataset):
        def __getitem__(self, index):
            (batch,) = super().__getitem__(index)
            return (batch[:, :, ::-1],)

    data = Mirrored(np.random.default_rng(0).random((9, 4, 6, 1), "float32"), batch_size=3)
    (batch,) = data[1]
    share = Share(Stream(data, steps) if steps else data, 1, 3)
    np.testing.assert_array_equal(share[1][0], batch[1:2])


def test_classes_and_pairs_too(folder, tmp_path):
    for number, file in enumerate(sorted(folder.iterdir())):
        target = tmp_path / "classes" / "ab"[number % 2] / file.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.read_bytes())
    for options in ({"labels": True}, {"observed": tmp_path / "classes"}):
        path = tmp_path / "classes"
        sets = [loaded(path, stream=s, size=12, crops=3, **options) for s in (False, True)]
        for there, here in zip(*map(batches, sets), strict=True):
            for a, b in zip(there, here, strict=True):
                np.testing.assert_array_equal(b, a)
        assert sets[0].class_names == sets[1].class_names


@pytest.mark.parametrize("kept", [20_000, 60_000, 2**29])
def test_each_picture_is_read_once_an_epoch_and_few_are_kept(kept, folder, reads, monkeypatch):
    monkeypatch.setattr(streamed, "KEPT", kept)
    dataset = loaded(folder, size=16, crops=5, stream=True)
    orders = []
    for epoch in range(2):
        reads.clear()
        _ = batches(dataset, epoch)
        assert len(reads) == len(set(reads))
        pictures = dataset.pictures
        held = [pictures.shapes[index] for index in pictures._read]
        assert pictures._kept == sum(np.prod(shape) for shape in held)
        assert pictures._kept <= kept or len(held) == 1
        orders.append(dataset._indices().tolist())
        assert sorted(orders[-1]) == list(range(23 * 5))
    assert orders[0] != orders[1]
    again = loaded(folder, size=16, crops=5, stream=True)
    for a, b in zip(batches(again, 1), batches(dataset, 1), strict=True):
        np.testing.assert_array_equal(a[0], b[0])


def test_a_picture_larger_than_what_is_kept_is_served(folder, monkeypatch):
    monkeypatch.setattr(streamed, "KEPT", 10)
    there, here = (loaded(folder, stream=stream, size=32) for stream in (False, True))
    for a, b in zip(batches(there), batches(here), strict=True):
        np.testing.assert_array_equal(b[0], a[0])
    assert len(here.pictures._read) == 1


def test_only_heads_are_read_before_a_batch_is_asked_for(folder, reads):
    dataset = loaded(folder, size=16, crops=5, stream=True)
    assert len(reads) <= 1  # of which the dataset learns the shape
    _ = dataset[0]
    assert 4 <= len(reads) <= 9  # and those of the batch that follows


def test_the_head_of_a_file_tells_the_shape(tmp_path):
    rng, file = np.random.default_rng(0), tmp_path / "picture.png"
    for bits in (8, 16):
        for channels in (1, 2, 3, 4):
            values = rng.integers(0, 2**bits, (12, 20, channels), dtype=f"uint{bits}")
            for orientation in range(1, 9):
                notes = photos.chunk(b"eXIf", photos.notes_of(orientation).tobytes()[6:])
                for parts in (([notes], ()), ([], [notes])):
                    file.write_bytes(photos.png(values, *parts[0], late=parts[1]))
                    assert reading.picture_shape(file) == reading.read_picture(file).shape
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr"):
        image = Image.fromarray(rng.integers(0, 256, (12, 20, 3), "uint8")).convert("RGB")
        file = tmp_path / ("picture.jpg" if mode in ("CMYK", "YCbCr") else "picture.png")
        image.convert(mode).save(file)
        assert reading.picture_shape(file) == reading.read_picture(file).shape, mode


def test_what_is_no_picture_is_left_out_and_what_breaks_later_is_named(folder):
    (folder / "text.png").write_text("no picture")
    with pytest.warns(
        UserWarning, match="1 of 24 files .* is unreadable: .*text.png.* It is left out"
    ):
        dataset = loaded(folder, size=16, stream=True)
    assert dataset.num_pictures == 23
    file, whole = folder / "1.png", (folder / "1.png").read_bytes()
    file.write_bytes(whole[:200])
    for _ in range(2):
        with pytest.raises(ValueError, match="'.*1.png' cannot be read as a picture"):
            batches(dataset)
    Image.new("RGB", (7, 9)).save(file)
    with pytest.raises(
        ValueError, match="'.*1.png' has changed .*9 x 7 pixels, .* take it out and load"
    ):
        batches(dataset)
    file.write_bytes(whole)  # mended: nothing has to be loaded anew
    assert len(batches(dataset)) == 5


def test_a_training_on_a_stream_resumes_to_the_same_bits(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(streamed, "KEPT", 20_000)

    def trained(epochs, name):
        keras.utils.set_random_seed(0)
        network = networks.dncnn((None, None, 3), depth=3, filters=2, batch_norm=False)
        model = Restorer(network, degradations.AdditiveNoise(0.1, seed=0), seed=0)
        model.compile()
        for end in epochs:
            data = loaded(folder, size=16, crops=2, channels=3, stream=True)
            resume = callbacks.Resume(tmp_path / name)
            model.fit(data, epochs=end, verbose=0, callbacks=[resume])
        return model.get_weights()

    for a, b in zip(trained((1, 3), "cut"), trained((3,), "whole"), strict=True):
        np.testing.assert_array_equal(a, b)


def test_an_error_of_a_file_ends_a_training_in_its_sentence(folder):
    data = loaded(folder, size=16, channels=3, stream=True)
    for file in folder.glob("*.png"):
        file.write_bytes(file.read_bytes()[:100])
    network = networks.dncnn((None, None, 3), depth=3, filters=2, batch_norm=False)
    model = Restorer(network, degradations.AdditiveNoise(0.1))
    model.compile()
    with pytest.raises(ValueError, match=r"^'.*png' cannot be read as a picture: [^|]*$"):
        model.fit(data, verbose=0)


def test_parts_and_copies_are_of_the_same_files(folder):
    pictures = loaded(folder, size=16, stream=True).pictures
    some = pickle.loads(pickle.dumps(pictures)).part([3, 1])
    assert len(some) == 2
    np.testing.assert_array_equal(some[0], pictures[3])
    np.testing.assert_array_equal(some[1], pictures[1])


def test_what_does_not_go_together_is_refused(folder, tmp_path):
    with pytest.raises(TypeError, match="`stream` must be True or False. Received: stream=1"):
        load_folder(folder, stream=1)
    with pytest.raises(ValueError, match="Pictures of one batch must have equal sizes"):
        loaded(folder, stream=True)
    with pytest.raises(
        ValueError, match=r"large as the crops. Received: size=58 for '.*\d.jpg' of"
    ):
        loaded(folder, stream=True, size=58, crops=2)
    data = loaded(folder, size=16, channels=1, stream=True)
    with pytest.raises(ValueError, match="are kept in memory. Received: `binarize`"):
        keras_imgen.data.PictureDataset(data.pictures, binarize="static")


def test_the_command_streams(folder, tmp_path, capsys):
    options = ["--data", str(folder), "--size", "16", "--crops", "2", "--channels", "3"]
    options += ["--epochs", "1", "--stream", "--out", str(tmp_path / "run")]
    assert cli.main(["train", "denoise", *options]) == 0
    assert (tmp_path / "run" / "model.keras").is_file()
    assert cli.main(["train", "denoise", "--stream", "--out", str(tmp_path / "other")]) == 2
    said = capsys.readouterr().err
    assert "--stream leaves the pictures of a folder or of a TFDS set in their files" in said


@pytest.fixture
def films(tmp_path):
    """Return a folder of three films, one coloured and one in two sizes, of frames in files."""
    rng = np.random.default_rng(0)
    for name, frames in (("a", 9), ("b", 7), ("c", 8)):
        (tmp_path / "films" / name).mkdir(parents=True)
        for number in range(frames):
            shape = (22, 31, 3) if name == "b" else (22 + 2 * (name == "c" and number > 4), 31)
            image = Image.fromarray(rng.integers(0, 256, shape, "uint8"))
            image.save(tmp_path / "films" / name / f"{number}.{('jpg', 'png')[number % 2]}")
    return tmp_path / "films"


def sequences(films, **options):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".* enlarged to")
        return load_sequences(films, num_frames=3, batch_size=2, seed=3, **options)


@pytest.mark.parametrize(
    "options",
    [{"size": 16}, {"size": (11, 40), "channels": 1, "shuffle": False}, {"size": 9, "channels": 3}],
    ids=str,
)
def test_films_are_those_that_they_are_in_memory(options, films, monkeypatch):
    monkeypatch.setattr(streamed, "KEPT", 3_000)
    there, here = (sequences(films, stream=stream, **options) for stream in (False, True))
    assert here.image_shape == there.image_shape
    assert here.image_shape[0] == 3
    assert len(here.pictures) == 3 + 2 + 2
    for epoch in (0, 1, 7):
        for a, b in zip(batches(there, epoch), batches(here, epoch), strict=True):
            np.testing.assert_array_equal(b[0], a[0])
    np.testing.assert_array_equal(here.take(6), there.take(6))
    grey = here.pictures.part([1, 4]).with_channels(1)
    assert grey[1].shape == (*here.image_shape[:-1], 1)
    assert [shape[-1] for shape in grey.shapes] == [1, 1]


def test_frames_of_one_size_need_none(films):
    shutil.rmtree(films / "c")
    there, here = (sequences(films, stream=stream) for stream in (False, True))
    np.testing.assert_array_equal(here.take(5), there.take(5))
    assert here.image_shape == (3, 22, 31, 3)


def test_films_that_cannot_be_streamed_say_why(films):
    for stream in (False, True):
        with pytest.raises(ValueError, match=r"frames of a film must have equal sizes.*films.c'"):
            sequences(films, stream=stream)
    data = sequences(films, size=16, shuffle=False, stream=True)
    Image.new("L", (31, 25)).save(films / "a" / "3.png")
    with pytest.raises(ValueError, match=r"3.png' has changed .* 25 x 31 pixels, which were 22 x"):
        data[0]
    (films / "a" / "3.png").write_bytes((films / "a" / "5.png").read_bytes()[:90])
    with pytest.raises(ValueError, match=r"3.png' cannot be read.* load the folder anew"):
        data[0]
    for name in ("x.gif", "y.gif"):
        plotting.save_gif(films / name, np.zeros((4, 22, 31, 1), "float32"))
    with pytest.raises(ValueError, match=r"x.gif' and 1 more in .* Write their frames into a f"):
        sequences(films, size=16, stream=True)
    with pytest.raises(TypeError, match="`stream` must be True or False. Received: stream=1"):
        load_sequences(films, stream=1)


def test_films_that_are_enlarged_are_told_of(films):
    for stream in (False, True):
        with pytest.warns(UserWarning, match="3 of 3 films in .* enlarged to 23 x 20 .* 22 x 31"):
            load_sequences(films, num_frames=3, size=(23, 20), stream=stream)


def test_the_command_streams_films(films, tmp_path):
    options = ["--data", str(films), "--size", "16", "--frames", "4", "--channels", "1"]
    options += ["--epochs", "1", "--batch-size", "2", "--stream", "--out", str(tmp_path / "run")]
    assert cli.main(["train", "sequence", *options]) == 0
    assert (tmp_path / "run" / "model.keras").is_file()


def test_a_tree_of_imagenet_streams_with_its_classes(tmp_path):
    rng, classes = np.random.default_rng(0), ["n01440764", "n01443537", "n02099601"]
    for number in range(18):
        file = tmp_path / "train" / classes[number % 3] / f"{classes[number % 3]}_{number}.JPEG"
        file.parent.mkdir(parents=True, exist_ok=True)
        shape = (*rng.integers(40, 60, 2), *((3,) if number % 5 else ()))  # a few are grey
        Image.fromarray(rng.integers(0, 256, shape, "uint8")).save(file, "JPEG")
    data = loaded(tmp_path / "train", size=32, channels=3, labels=True, stream=True)
    assert data.class_names == classes
    seen = [label for _, labels in batches(data) for label in labels]
    assert data.image_shape == (32, 32, 3)
    assert len(seen) == 16
    np.testing.assert_array_equal(np.bincount(data.labels), [6, 6, 6])
    for index, picture in enumerate(data.take(18)):
        name = classes[data.labels[index]]
        assert data.pictures.places[index].parent.name == name
        whole = reading.read_picture(data.pictures.places[index])
        expected = sources.resize(sources.with_channels(whole, 3), 32, 32)
        np.testing.assert_array_equal(keras_imgen.data.to_uint8(picture), expected)
