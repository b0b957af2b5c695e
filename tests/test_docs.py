"""What README and docs show works: their Python runs, their links and pictures exist."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keras_imgen import cli

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("tutorials/*.md")])
BLOCKS = [
    pytest.param(block, id=f"{page.stem}-{number}")
    for page in PAGES
    for number, block in enumerate(re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), re.S))
]


def test_pages_and_examples_are_found():
    assert len(PAGES) >= 6
    assert len(BLOCKS) >= 4


@pytest.mark.parametrize("block", BLOCKS)
def test_examples_run(block, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "holiday").mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (70, 80, 3), dtype="uint8")
    Image.fromarray(pixels).save(tmp_path / "holiday" / "beach.png")
    Image.fromarray(np.uint8(255 * (pixels[..., 0] < 25))).save(tmp_path / "mask.png")
    # One step shows that the example works; the tutorials show that it learns.
    exec(re.sub(r"epochs=\d+", "epochs=1, steps_per_epoch=1", block), {"__name__": "example"})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text("utf-8"))
    for link in links:
        if not link.startswith("http"):
            assert (page.parent / link).exists(), f"{page.name} links to {link}, which is missing."


def test_commands_shown_are_known():
    text = "\n".join(page.read_text("utf-8") for page in PAGES)
    shown = set(re.findall(r"keras-imgen (?=[a-z])(\w+)", text))
    known = set(re.findall(r"^    (\w+)\s", cli._parser().format_help(), re.M))
    assert shown <= known
    assert {"demo", "train", "restore", "sample", "tutorials", "doctor"} <= shown


def test_every_promise_has_its_test():
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs" / "reliability.md").read_text("utf-8")))
    written = set()
    for file in (ROOT / "tests").glob("test_*.py"):
        written |= set(re.findall(r"^def (test_\w+)\(", file.read_text("utf-8"), re.M))
    assert named - written == set()
    assert len(named) > 30


def test_nothing_installs_the_package_by_its_name():
    """The name belongs to nobody on the package index: a stranger's code would be installed."""
    folders = [ROOT / name for name in ("docs", "keras_imgen", "tutorials")]
    files = [ROOT / "README.md", *(file for folder in folders for file in folder.rglob("*"))]
    texts = {f: f.read_text("utf-8") for f in files if f.suffix in {".md", ".py", ".ipynb"}}
    assert len(texts) > 60
    by_name = r"""(?i)pip3?["', ]+install[^`\n]*[ "']keras[-_]imgen["'`\s.,;\[=]"""
    assert re.search(by_name, "pip install -U keras-imgen.")
    assert re.search(by_name, '"pip", "install", "-q", "keras-imgen"]')
    assert [str(file) for file, text in texts.items() if re.search(by_name, text)] == []
