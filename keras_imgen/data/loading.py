"""The `load` functions: pictures from the embedded sets, TFDS, a folder or arrays."""

from pathlib import Path

import keras
import numpy as np

from keras_imgen import checks
from keras_imgen.checks import flag, shown, whole_number
from keras_imgen.data import asked, folders, pairs, sources, tfds
from keras_imgen.data.dataset import NOISE, PictureDataset, check_pictures
from keras_imgen.data.moving import load_moving_digits
from keras_imgen.data.streamed import StreamedPictures, shapes_of


def load_arrays(
    pictures,
    labels=None,
    *,
    observed=None,
    batch_size: int = 32,
    shuffle: bool = True,
    seed: int = 0,
    binarize: str | None = None,
) -> PictureDataset:
    """Make a dataset of pictures that are already in memory.

    Args:
        pictures: floating-point array in [0, 1], `(N, H, W, C)`, of sequences `(N, T, H, W, C)`.
        labels: one integer per picture, or None.
        observed: of pairs, for a `Restorer` without a degradation, what is to become the pictures:
            floating-point array of the same sizes, whose noise may leave [0, 1]; by default none.
        batch_size: pictures per batch.
        shuffle: True for training, False for validation and test.
        seed: integer that fixes the order, and what is drawn.
        binarize: as in `PictureDataset`.

    Raises:
        TypeError, ValueError: if the pictures are not in this package's format, or the labels not
            whole numbers, as many as pictures.

    Example:
        >>> import numpy as np
        >>> from keras_imgen import load_arrays
        >>> dataset = load_arrays(np.zeros((10, 12, 20, 3)), batch_size=4)
        >>> len(dataset), dataset.image_shape
        (2, (12, 20, 3))
    """
    check_pictures(pictures)
    pictures = keras.ops.convert_to_numpy(pictures).astype("float32")
    if observed is not None:
        check_pictures(observed, name="observed", noise=NOISE)
        observed = keras.ops.convert_to_numpy(observed).astype("float32")
    options = {"batch_size": batch_size, "shuffle": shuffle, "seed": seed, "binarize": binarize}
    return PictureDataset(pictures, labels, observed=observed, **options)


def load_folder(
    path: str | Path,
    *,
    observed: str | Path | None = None,
    size: int | tuple[int, int] | None = None,
    crops: int = 0,
    channels: int | None = None,
    labels: bool = False,
    batch_size: int = 32,
    shuffle: bool = True,
    seed: int = 0,
    stream: bool = False,
) -> PictureDataset:
    """Load the PNG and JPEG files of a folder and of all folders in it.

    Files that cannot be read are left out, with one warning that names them, and files of other
    kinds, with one that counts them; so are hidden ones and links to folders, without. Only PNG and
    JPEG are ever decoded, whatever a file is called. Pictures that `size` makes larger are counted
    in a warning.

    Args:
        path: the folder.
        observed: another folder with a picture for each one, of the same name (endings may differ)
            and size: pairs, for a `Restorer` without a degradation. By default none.
        size: side, or `(height, width)`, of the pictures in pixels. By default as they are, which
            needs pictures of equal size.
        crops: 0 to resize each picture (what exceeds the proportions is cut off evenly); otherwise
            how many random crops of `size` to take from each picture in an epoch.
        channels: 1 for grey, 3 for colour; by default 1 if all files are grey, else 3, with a
            warning if only some are.
        labels: whether batches are `(pictures, labels)`: each subfolder of the folder is a class,
            and the dataset's `class_names` are their names, in the order of the labels 0, 1, ...
        batch_size: pictures per batch.
        shuffle: True for training, False for validation and test.
        seed: integer that fixes order and crops.
        stream: whether the pictures stay in their files, for a folder that is larger than memory:
            only the head of each file is looked at now, and threads read what the next batch needs.
            Batches are those that they are in memory; crops of a folder of more than 256 MiB, as
            bytes of pixels, are shuffled among pictures of so many, so that each is read once.

    Raises:
        FileNotFoundError: if there is no such folder, or no readable picture in it.
        ValueError: if sizes differ and no `size` is given, a picture is smaller than a crop, has no
            partner of its name and size, or all together would need more than 4 GiB of memory;
            while batches are read, if a picture in its file is damaged.

    Example:
        >>> from keras_imgen import load_folder
        >>> from keras_imgen.data.sources import ASSETS
        >>> load_folder(ASSETS / "photos" / "test", size=64, crops=8, channels=1).num_pictures
        24
    """
    checks.path("path", path)
    flag("labels", labels)
    flag("stream", stream)
    asked.check(size, crops, channels, batch_size, seed)
    options = {"size": size, "crops": crops, "batch_size": batch_size, "shuffle": shuffle}
    if observed is not None:
        checks.path("observed", observed)
        if labels:
            raise ValueError(
                "A folder holds classes or pairs. Received: labels=True with `observed`. Leave out "
                "one of them."
            )
        pictures, seen = pairs.read_pairs(path, observed, channels, size, crops, stream)
        return _dataset(pictures, None, observed=seen, seed=seed, **options)
    pictures, targets, class_names = folders.read_folder(
        path, channels, size, crops, labels, stream
    )
    return _dataset(pictures, targets, class_names=class_names, seed=seed, **options)


def load_sequences(
    path: str | Path,
    *,
    num_frames: int = 10,
    size: int | tuple[int, int] | None = None,
    channels: int | None = None,
    batch_size: int = 16,
    shuffle: bool = True,
    seed: int = 0,
    stream: bool = False,
) -> PictureDataset:
    """Load the films of a folder: GIF files, videos, and folders in it that hold a film's frames.

    Frames are PNG or JPEG files, in the order of the numbers in their names; for videos (MP4, MOV,
    AVI, MKV, WebM) PyAV must be installed, `pip install av`. Each film is cut into as many
    sequences as it has frames for; one that is too short is left out, with a warning. Films that
    `size` makes larger are counted in one.

    Args:
        path: the folder; one that holds frames itself is one film.
        num_frames: frames per sequence.
        size: side, or `(height, width)`, of the frames in pixels; what exceeds the proportions is
            cut off evenly. By default as they are, which needs frames of equal size.
        channels: 1 for grey, 3 for colour; by default 1 if all films are grey, else 3.
        batch_size: sequences per batch.
        shuffle: True for training, False for validation and test.
        seed: integer that fixes the order.
        stream: whether the frames of folders stay in their files, for films that are larger than
            memory: only the head of each is looked at now, and threads read what the next batch
            needs. Batches are those that they are in memory.

    Returns:
        A dataset of sequences `(num_frames, height, width, channels)`.

    Raises:
        FileNotFoundError: if there is no such folder, or no readable film in it.
        ValueError: if sizes differ and no `size` is given, no film is long enough, all together
            would need more than 4 GiB of memory, or a film in one file is to be streamed; while
            batches are read, if a frame in its file is damaged.

    Example:
        >>> import numpy as np, pathlib, tempfile
        >>> from keras_imgen import load_sequences, plotting
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> _ = plotting.save_gif(folder / "film.gif", np.random.rand(25, 12, 20, 1))
        >>> load_sequences(folder, num_frames=10).pictures.shape
        (2, 10, 12, 20, 1)
    """
    checks.path("path", path)
    asked.check(size, 0, channels, batch_size, seed)
    num_frames = whole_number("num_frames", num_frames, 1)
    flag("stream", stream)
    sides = None if size is None else asked.pair(size)
    films = folders.read_films(path, num_frames, channels, sides, stream)
    return PictureDataset(films, batch_size=batch_size, shuffle=shuffle, seed=seed)


def load(
    name: str,
    split: str = "train",
    *,
    size: int | tuple[int, int] | None = None,
    crops: int | None = None,
    channels: int | None = None,
    labels: bool = False,
    batch_size: int = 32,
    shuffle: bool | None = None,
    seed: int = 0,
    binarize: str | None = None,
    data_dir: str | Path | None = None,
    picture_key: str = "image",
    stream: bool = False,
) -> PictureDataset:
    """Load a set of pictures by name: an embedded one, which needs no network, or any of TFDS.

    | name | train | test |
    | --- | --- | --- |
    | `"digits"` | 4,000 MNIST digits, 28 x 28, grey, with labels | 1,000 others |
    | `"photos"` | 64 random 64 x 64 crops of each of 9 photos, grey | one 192 x 192 of 3 others |
    | `"moving_digits"` | 512 sequences of 10 frames of 48 x 48 | 64 others |
    | any TFDS name, as `"mnist"`, `"fashion_mnist"`, `"cifar10"` | TFDS's split | TFDS's split |

    Args:
        name: which set. A TFDS set that is not on this machine is downloaded.
        split: `"train"`, `"test"`, or for TFDS anything that TFDS understands: `"train[:10%]"`.
        size: side, or `(height, width)`, of the pictures; by default as they are ("photos": see
            above).
        crops: as in `load_folder`; by default 0 ("photos": see above).
        channels: 1 or 3; by default as they are ("photos": 1). "photos" with 3 channels are the
            coloured ones only.
        labels: whether batches are `(pictures, labels)`.
        batch_size: pictures per batch.
        shuffle: by default True for splits that begin with "train".
        seed: integer that fixes order, crops and what is drawn.
        binarize: None, `"static"` or `"dynamic"`: pictures in black and white, drawn by their grey
            levels once or anew in every epoch, on which a VAE's likelihood is measured; see
            `PictureDataset`.
        data_dir: where TFDS keeps its data; by default TFDS's own folder.
        picture_key: feature of a TFDS set that holds the pictures, such as "hr" in "div2k".
        stream: whether the pictures of a TFDS set stay in its files, for one that is larger than
            memory; as in `load_folder`. With labels, or pictures of several sizes, the set is read
            through once before the first batch.

    Raises:
        ValueError: for an unknown name or split, or a set without what was asked for or too large
            for memory; while batches are read, if a record is damaged. Names are names: neither
            paths nor addresses.
        ConnectionError: if a TFDS set is neither on this machine nor can be downloaded.
        OSError: if a TFDS set is damaged, or its download failed.

    Example:
        >>> from keras_imgen import load
        >>> digits = load("digits", labels=True)
        >>> pictures, labels = digits[0]
        >>> pictures.shape, labels.shape
        ((32, 28, 28, 1), (32,))
    """
    for argument, value in (("name", name), ("split", split), ("picture_key", picture_key)):
        if not isinstance(value, str):
            raise TypeError(f"`{argument}` must be a string. Received: {shown(value)}.")
    flag("stream", stream)
    if stream and name in sources.EMBEDDED:
        raise ValueError(
            "Embedded sets are small, and lie in memory. Received: stream=True for "
            f"{name!r}. Leave it out; it is for sets of TFDS, and for `load_folder`."
        )
    cropped = 64 if name == "photos" and size is None else size
    asked.check(cropped, 0 if crops is None else crops, channels, batch_size, seed)
    shuffle = split.startswith("train") if shuffle is None else shuffle
    options = {"batch_size": batch_size, "shuffle": shuffle, "seed": seed}
    if name != "moving_digits":
        options["binarize"] = binarize
    else:
        unsupported = {"size": size, "crops": crops, "channels": channels, "labels": labels or None}
        unsupported["binarize"] = binarize
        if given := [key for key, value in unsupported.items() if value is not None]:
            raise ValueError(
                f'"moving_digits" takes no {", ".join(given)} here. '
                "Use load_moving_digits(size=..., num_frames=...)."
            )
        return load_moving_digits(split, **options)
    class_names = None
    if name == "digits":
        pictures, targets = sources.read_digits(split)
        class_names = list("0123456789")
    elif name == "photos":
        if labels:
            raise ValueError('"photos" has no labels. Pass labels=False, or load "digits".')
        pictures, targets = sources.read_photos(split, 1 if channels is None else channels), None
        if size is None:  # small crops to train on, large ones to look at
            size = 64 if split == "train" else 192
        if crops is None:
            crops = 64 if split == "train" else 1
    else:
        pictures, targets, class_names = tfds.read_tfds(
            name, split, labels, data_dir, picture_key, stream
        )
    if stream and channels is not None:
        pictures = pictures.with_channels(channels)
    elif channels is not None and name != "photos":
        pictures = sources.with_channels(pictures, channels)
    if labels:
        options["class_names"] = class_names
    return _dataset(pictures, targets if labels else None, size=size, crops=crops or 0, **options)


def _dataset(pictures, labels, *, size, crops, observed=None, **options) -> PictureDataset:
    """Bring whole pictures, and those of pairs, to one size, by resizing or cropping."""
    if crops:
        crop_size = asked.pair(size)
        streamed = isinstance(pictures, StreamedPictures)
        for number, shape in enumerate(shapes_of(pictures)):
            what = pictures.named(pictures.places[number]) if streamed else "a picture"
            asked.check_crop(size, shape, what)
        options |= {"crop_size": crop_size, "crops": int(crops)}
        return PictureDataset(pictures, labels, observed=observed, **options)
    pictures = _of_one_size(pictures, size)
    observed = None if observed is None else _of_one_size(observed, size)
    return PictureDataset(pictures, labels, observed=observed, **options)


def _of_one_size(pictures, size) -> np.ndarray | StreamedPictures:
    if isinstance(pictures, StreamedPictures):
        pictures = pictures if size is None else pictures.resized(asked.pair(size))
    elif size is not None:
        height, width = asked.pair(size)
        sources.check_memory(
            len(pictures) * height * width * pictures[0].shape[-1],
            f"{len(pictures):,} pictures of {height} x {width} pixels",
            "Pass a smaller `size`, or load a part",
        )
        pictures = [sources.resize(picture, height, width) for picture in pictures]
    shapes = sorted(set(shapes_of(pictures)))
    if len(shapes) > 1:
        raise ValueError(
            f"Pictures of one batch must have equal sizes. Received: sizes from {shapes[0]} to "
            f"{shapes[-1]}. Pass `size=` to resize them, with `crops=` to take random crops."
        )
    return pictures if isinstance(pictures, StreamedPictures) else np.asarray(pictures)
