"""The embedded files are those that their statement of origin and build script describe."""

import hashlib
import os
import re
import tomllib
from pathlib import Path

import numpy as np
import pytest
from packaging.licenses import canonicalize_license_expression
from PIL import Image
from scripts import load_script

ASSETS = Path(__file__).parents[1] / "keras_imgen" / "assets"
PHOTOS = sorted(ASSETS.glob("photos/*/*.png"))

build_assets = load_script(ASSETS / "build_assets.py")


def picture_files(folder: Path) -> list[Path]:
    """Return all files of pictures in a folder of assets: all but text, code and networks."""
    networks = {network.path for network in build_assets.NETWORKS}
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return [p for p in files if p.suffix not in {".md", ".py", ".pyc"} and p.name not in networks]


def checksums(folder: Path) -> dict[str, str]:
    """Return the pixel checksum of every array stored in a folder of assets."""
    return {
        path.relative_to(folder).as_posix() + suffix: build_assets.pixel_checksum(array)
        for path in picture_files(folder)
        for suffix, array in build_assets.read_arrays(path)
    }


@pytest.fixture(scope="module")
def digits() -> dict[str, np.ndarray]:
    """Return the arrays of digits."""
    with np.load(ASSETS / "digits.npz") as arrays:
        return dict(arrays)


def test_pixel_checksum_sees_values_and_shape():
    picture = np.arange(6, dtype=np.uint8).reshape(2, 3)
    same, reshaped, flipped = np.asfortranarray(picture), picture.reshape(3, 2), picture[::-1]
    checksum = build_assets.pixel_checksum(picture)
    assert build_assets.pixel_checksum(same) == checksum
    assert checksum not in map(build_assets.pixel_checksum, (reshaped, flipped))


def test_licenses_list_exactly_the_files_and_their_checksums():
    text = (ASSETS / "LICENSES.md").read_text(encoding="utf-8")
    files, arrays, networks = re.split("## Checksums|## Networks", text)
    listed_files = re.findall(r"^\| `([^`]+)` \|", files, re.M)
    listed_arrays = dict(re.findall(r"^\| `([^`]+)` \| [^|]+ \| `([0-9a-f]{64})` \|", arrays, re.M))
    on_disk = [path.relative_to(ASSETS).as_posix() for path in picture_files(ASSETS)]
    assert sorted(listed_files) == sorted(on_disk)
    assert listed_arrays == checksums(ASSETS)
    listed_networks = dict(re.findall(r"^\| `([^`]+)` \|.*\| `([0-9a-f]{64})` \|", networks, re.M))
    assert listed_networks == {
        network.path: hashlib.sha256((ASSETS / network.path).read_bytes()).hexdigest()
        for network in build_assets.NETWORKS
    }


def test_the_statement_of_origin_is_the_build_scripts():
    text = (ASSETS / "LICENSES.md").read_text(encoding="utf-8")
    parts = re.split(r"\{[^}]+\}", build_assets.LICENSES)
    assert [part for part in parts if part not in text] == []
    assert all(part in text for network in build_assets.NETWORKS for part in network)


def test_the_metadata_name_every_licence_of_what_the_wheel_holds():
    project = tomllib.loads((ASSETS.parents[1] / "pyproject.toml").read_text("utf-8"))["project"]
    expression = project["license"]
    assert canonicalize_license_expression(expression) == expression
    stated = re.findall(r"^- \*\*(\S+)\*\*", (ASSETS / "LICENSES.md").read_text("utf-8"), re.M)
    assert expression.split(" AND ") == stated
    assert project["license-files"] == ["LICENSE", "keras_imgen/assets/LICENSES.md"]
    # What each file's author allows is one of them.
    said = {"CC BY-SA 3.0", "CC BY 2.0", "CC0", "public domain", "research and teaching"}
    photos = [photo.asset() for photo in (*build_assets.PHOTOS, *build_assets.EXAMPLES)]
    for asset in [build_assets.DIGITS, *photos, *build_assets.NETWORKS]:
        assert any(licence in asset.credit for licence in said), asset.path


def test_the_readme_names_the_licences_before_its_first_command():
    top = (ASSETS.parents[1] / "README.md").read_text("utf-8").split("```sh")[0]
    for words in ("Apache 2.0", "CC BY-SA 3.0", "not for commercial use", "LICENSES.md"):
        assert words in top


@pytest.mark.parametrize(("split", "per_digit"), [("train", 400), ("test", 100)])
def test_digits_are_balanced_and_shuffled(digits, split, per_digit):
    pictures, labels = digits[f"{split}_pictures"], digits[f"{split}_labels"]
    assert pictures.dtype == labels.dtype == np.uint8
    assert pictures.shape == (10 * per_digit, 28, 28)
    assert np.bincount(labels).tolist() == [per_digit] * 10
    assert len(set(labels[:16].tolist())) > 5
    assert pictures.min() == 0
    assert pictures.max() == 255


def test_no_digit_is_in_both_splits(digits):
    train, test = ({p.tobytes() for p in digits[f"{s}_pictures"]} for s in ("train", "test"))
    assert train.isdisjoint(test)


def test_photos_are_split_by_picture():
    train, test = ({p.stem for p in PHOTOS if p.parent.name == s} for s in ("train", "test"))
    assert len(train) == 9
    assert test == {"camera", "chelsea", "coffee"}


@pytest.mark.parametrize("path", PHOTOS, ids=lambda path: path.stem)
def test_photo_is_plain_and_large_enough(path):
    with Image.open(path) as photo:
        assert photo.mode in {"L", "RGB"}
        assert min(photo.size) >= 128
        assert "icc_profile" not in photo.info
        assert not photo.getexif()


def test_assets_are_small():
    files = [*picture_files(ASSETS), *ASSETS.glob("*.keras")]
    assert sum(path.stat().st_size for path in files) < 3_500_000
    assert (ASSETS / "digit_features.keras").stat().st_size < 1_000_000


def test_rebuild_gives_the_same_pictures(tmp_path):
    folder = os.environ.get("KERAS_IMGEN_WHEELS")
    if not folder:
        pytest.skip("KERAS_IMGEN_WHEELS names no folder with the wheels to build from")
    found = [(name, f) for name in build_assets.WHEELS for f in Path(folder).glob(f"{name}-*.whl")]
    assert [name for name, _ in found] == list(build_assets.WHEELS), folder
    build_assets.build(dict(found), tmp_path)
    assert checksums(tmp_path) == checksums(ASSETS)
    assert (tmp_path / "LICENSES.md").read_bytes() == (ASSETS / "LICENSES.md").read_bytes()
