"""Sets of TFDS that stay in their files: the same batches as in memory, whatever the shards."""

import pickle
import shutil

import keras
import numpy as np
import pytest

from keras_imgen import Restorer, callbacks, cli, degradations, load, networks
from keras_imgen.data import PictureDataset, records, streamed

tf = pytest.importorskip("tensorflow")
tfds = pytest.importorskip("tensorflow_datasets")

COUNTS = {"train": 23, "test": 7}


def prepare(folder, name, image, file_format="tfrecord", num_shards=None):
    """Write a set as TFDS does: noise in colour with labels, of several sizes if it may be."""
    height, width, _ = image.shape

    def examples(split):
        rng = np.random.default_rng(COUNTS[split])
        for number in range(COUNTS[split]):
            size = (height or rng.integers(20, 60), width or rng.integers(20, 60))
            yield {"image": rng.integers(0, 256, (*size, 3), "uint8"), "label": number % 3}

    signature = {
        "image": tf.TensorSpec(image.shape, "uint8"),
        "label": tf.TensorSpec((), "int64"),
    }
    tfds.dataset_builders.store_as_tfds_dataset(
        name=name,
        version="1.0.0",
        features=tfds.features.FeaturesDict(
            {"image": image, "label": tfds.features.ClassLabel(names=["ant", "bee", "cow"])}
        ),
        split_datasets={
            split: tf.data.Dataset.from_generator(
                lambda split=split: examples(split), output_signature=signature
            )
            for split in COUNTS
        },
        data_dir=folder,
        file_format=file_format,
        download_config=tfds.download.DownloadConfig(num_shards=num_shards),
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder of sets: of one size, of JPEG of several sizes in shards, and of others."""
    folder = tmp_path_factory.mktemp("tfds")
    image = tfds.features.Image
    prepare(folder, "even", image(shape=(24, 20, 3)))
    prepare(folder, "varied", image(shape=(None, None, 3), encoding_format="jpeg"), num_shards=3)
    prepare(folder, "raw", tfds.features.Tensor(shape=(24, 20, 3), dtype=np.uint8))
    prepare(folder, "arrays", image(shape=(24, 20, 3)), file_format="array_record")
    return folder


@pytest.fixture
def reads(monkeypatch):
    """Return the list of records that were read since."""
    places, read = [], records.RecordPictures.read

    def noted(self, place):
        places.append(tuple(place))
        return read(self, place)

    monkeypatch.setattr(records.RecordPictures, "read", noted)
    return places


def loaded(folder, name, split="train", **options):
    return load(name, split, data_dir=folder, batch_size=4, seed=3, **options)


def batches(dataset, epoch=0):
    dataset.epoch = epoch
    return [dataset[index] for index in range(len(dataset))]


@pytest.mark.parametrize("split", ["train", "test", "train[5:17]", "test[:3]+train[-4:]"])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("even", {}),
        ("even", {"labels": True, "size": 16}),
        ("even", {"channels": 1, "binarize": "dynamic", "shuffle": True}),
        ("varied", {"size": (16, 24), "channels": 1, "labels": True}),
        ("varied", {"size": (16, 9), "crops": 5, "labels": True}),
    ],
    ids=str,
)
def test_batches_are_those_that_they_are_in_memory(name, options, split, folder):
    there, here = (loaded(folder, name, split, stream=s, **options) for s in (False, True))
    for epoch in (0, 1, 7):
        for a, b in zip(batches(there, epoch), batches(here, epoch), strict=True):
            for x, y in zip(a, b, strict=True):
                np.testing.assert_array_equal(y, x)
    np.testing.assert_array_equal(here.take(6), there.take(6))
    assert here.image_shape == there.image_shape
    assert here.class_names == there.class_names
    assert (here.class_names == ["ant", "bee", "cow"]) == ("labels" in options)


def test_the_set_has_several_files(folder):
    pictures = loaded(folder, "varied", size=16, stream=True).pictures
    assert len(pictures.files) == 3
    assert {file for file, _ in pictures.places} == {0, 1, 2}


@pytest.mark.parametrize("kept", [20_000, 60_000, 2**29])
def test_each_record_is_read_once_an_epoch_and_few_are_kept(kept, folder, reads, monkeypatch):
    monkeypatch.setattr(streamed, "KEPT", kept)
    dataset = loaded(folder, "varied", size=16, crops=5, stream=True)
    orders = []
    for epoch in range(2):
        reads.clear()
        _ = batches(dataset, epoch)
        assert len(reads) == len(set(reads))
        assert dataset.pictures._kept <= kept or len(dataset.pictures._read) == 1
        orders.append(dataset._indices().tolist())
        assert sorted(orders[-1]) == list(range(23 * 5))
    assert orders[0] != orders[1]


def test_no_picture_is_decoded_before_a_batch_is_asked_for(folder, reads):
    dataset = loaded(folder, "varied", size=16, labels=True, stream=True)
    assert len(reads) <= 1  # of which the dataset learns the shape
    _ = dataset[0]
    assert 4 <= len(reads) <= 9  # and those of the batch that follows


def test_pairs_and_parts_and_copies_are_of_the_same_records(folder):
    pictures = loaded(folder, "even", stream=True).pictures
    pairs = PictureDataset(pictures, observed=pictures.with_channels(1), batch_size=23, seed=0)
    observed, clean = pairs[0]
    assert observed.shape[1:] == (24, 20, 1)
    np.testing.assert_allclose(observed[..., 0], clean @ [0.299, 0.587, 0.114], atol=0.5 / 255)
    some = pickle.loads(pickle.dumps(pictures)).part([3, 1])
    assert len(some) == 2
    np.testing.assert_array_equal(some[0], pictures[3])
    np.testing.assert_array_equal(some[1], pictures[1])


def test_a_training_on_a_stream_resumes_to_the_same_bits(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(streamed, "KEPT", 20_000)

    def trained(epochs, name, stream=True):
        keras.utils.set_random_seed(0)
        network = networks.dncnn((None, None, 3), depth=3, filters=2, batch_norm=False)
        model = Restorer(network, degradations.AdditiveNoise(0.1, seed=0), seed=0)
        model.compile()
        for end in epochs:
            data = loaded(folder, "even", stream=stream)
            resume = callbacks.Resume(tmp_path / name)
            model.fit(data, epochs=end, verbose=0, callbacks=[resume])
        return model.get_weights()

    whole = trained((3,), "whole")
    for a, b in zip(trained((1, 3), "cut"), whole, strict=True):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(trained((3,), "in memory", stream=False), whole, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_file_that_is_cut_off_or_damaged_is_named(folder, tmp_path):
    shutil.copytree(folder / "even", tmp_path / "even")
    data = loaded(tmp_path, "even", stream=True)
    (file,) = (tmp_path / "even").glob("*/*train.tfrecord*")
    whole = file.read_bytes()
    file.write_bytes(whole[:-5])
    with pytest.raises(OSError, match=r"even-train.*holds 23 records and .* load the set again"):
        loaded(tmp_path, "even", stream=True)
    with pytest.raises(ValueError, match=r"The record at byte \d+ of '.*even-train.* cannot be"):
        batches(data)
    file.write_bytes(whole.replace(b"PNG", b"XXX"))
    for _ in range(2):
        with pytest.raises(ValueError, match=r"The record at byte \d+ of .* load the set again"):
            batches(data)
    file.write_bytes(whole)  # mended: nothing has to be loaded anew
    assert len(batches(data)) == 5


def test_what_cannot_stay_in_its_files_is_refused(folder):
    with pytest.raises(TypeError, match="`stream` must be True or False. Received: stream=1"):
        load("even", data_dir=folder, stream=1)
    for name in ("digits", "photos", "moving_digits"):
        with pytest.raises(ValueError, match=f"lie in memory. Received: stream=True for '{name}'"):
            load(name, stream=True)
    with pytest.raises(ValueError, match=r"must be PNG or JPEG there. Received: Tensor.* 'raw'"):
        load("raw", data_dir=folder, stream=True)
    assert load("raw", data_dir=folder).num_pictures == 23
    for stream in (False, True):
        with pytest.raises(ValueError, match=r"'arrays' in files of the kind array_record. Prep"):
            load("arrays", data_dir=folder, stream=stream)
    with pytest.raises(ValueError, match="equal sizes"):
        load("varied", data_dir=folder, stream=True)
    with pytest.raises(ValueError, match="at least as large as the crops"):
        load("varied", data_dir=folder, stream=True, size=59, crops=1)
    with pytest.raises(ValueError, match="are kept in memory. Received: `binarize`"):
        load("even", data_dir=folder, stream=True, binarize="static")


def test_the_command_streams_a_set(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(tfds.core.constants, "DATA_DIR", str(folder))
    options = ["--data", "even", "--size", "16", "--channels", "1", "--labels", "--stream"]
    options += ["--epochs", "1", "--batch-size", "8", "--out", str(tmp_path / "run")]
    assert cli.main(["train", "vae", *options]) == 0
    assert cli.main(["evaluate", str(tmp_path / "run" / "model.keras"), "--data", "even"]) == 0
    assert "7 pictures of 'even'" in capsys.readouterr().out
    assert cli.main(["train", "denoise", "--data", "digits", "--stream"]) == 2
    assert "--stream leaves the pictures of a folder or of a TFDS" in capsys.readouterr().err
