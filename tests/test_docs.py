"""What README and docs show works: their Python runs, their links and pictures exist."""

import inspect
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from keras_imgen.callbacks import TrainingHealth
from keras_imgen.cli import command as cli
from keras_imgen.data.sources import MAX_BYTES
from keras_imgen.prior import Prior
from keras_imgen.training import PictureModel

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("tutorials/*.md")])
TEXTS = {page: page.read_text("utf-8") for page in PAGES}
CODE = {page.stem: re.findall(r"```python\n(.*?)```", TEXTS[page], re.S) for page in PAGES}
BLOCKS = [
    pytest.param(name, number, id=f"{name}-{number}")
    for name, blocks in CODE.items()
    for number in range(len(blocks))
]


def test_pages_and_examples_are_found():
    assert len(PAGES) >= 6
    assert len(BLOCKS) >= 35


@pytest.fixture
def readers_files(tmp_path, monkeypatch):
    """Give an example the files that the pages name."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (70, 80, 3), dtype="uint8")
    photo = Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(3))
    for folder in ("holiday", "noisy", "clean", "pets/cats", "pets/dogs"):
        (tmp_path / folder).mkdir(parents=True)
        photo.save(tmp_path / folder / "beach.png")
    Image.fromarray(np.uint8(255 * (pixels[..., 0] < 25))).save(tmp_path / "mask.png")
    first, *others = map(Image.fromarray, rng.integers(0, 256, (16, 24, 32), dtype="uint8"))
    (tmp_path / "films").mkdir()
    first.save(tmp_path / "films" / "one.gif", save_all=True, append_images=others)


@pytest.mark.usefixtures("readers_files")
@pytest.mark.parametrize(("page", "number"), BLOCKS)
def test_examples_run(page, number, monkeypatch):
    names = {"__name__": "example"}
    if page != "README":  # many small trainings, of which compiling would take the time
        always = property(lambda model: True, lambda model, value: None)
        monkeypatch.setattr(PictureModel, "run_eagerly", always, raising=False)
    # One look of a denoiser, too.
    monkeypatch.setitem(Prior.undo.__kwdefaults__, "passes", 1)
    if page in ("howto", "own_models"):
        exec(CODE[page][0], names)  # what all answers share
    code = CODE[page][number]
    if "callbacks.TensorBoard(" in code:
        pytest.importorskip("tensorboard")
    # One step shows that the example works; the tutorials show that it learns.
    code = re.sub(r"\bepochs=\d+", "epochs=1, steps_per_epoch=1", code)
    exec(code.replace("validation_data=", "validation_steps=1, validation_data="), names)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page):
    for link, heading in re.findall(r"\]\(([^)#\s]*)(?:#([^)]*))?\)", TEXTS[page]):
        if link.startswith("http"):
            continue
        target = (page.parent / link).resolve() if link else page
        assert target.exists(), f"{page.name} links to {link}, which is missing."
        if heading:
            assert heading in headings(TEXTS[target]), f"{page.name}: {link}#{heading} is missing."


def headings(text):
    """Return the anchors of a page's headings, as they are made of their words."""
    titles = re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", text, flags=re.S), re.M)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def test_commands_shown_are_known():
    text = "\n".join(TEXTS.values())
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


def test_the_numbers_of_the_promises_are_those_of_code_and_tests():
    page = TEXTS[ROOT / "docs" / "reliability.md"]
    tests = (ROOT / "tests" / "test_resume.py").read_text("utf-8")
    kills = re.search(r"^KILLS = (\d+)", tests, re.M)[1]
    assert f"{kills} kills a family" in page
    assert inspect.signature(TrainingHealth).parameters["max_rollbacks"].default == 3
    assert "three times at most" in page
    assert f"{MAX_BYTES / 2**30:.0f} GiB at most" in page
    assert f"{2 * Image.MAX_IMAGE_PIXELS / 1e6:.0f} megapixels" in page


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
