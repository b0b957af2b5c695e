"""Every notebook is what its source makes, and every source runs: with solutions, and without."""

import base64
import functools
import importlib.util
import io
import re
import subprocess
import sys
from pathlib import Path

import forks
import nbformat
import numpy as np
import pytest
from IPython.core.interactiveshell import InteractiveShell
from PIL import Image, ImageSequence
from running_cells import run_cells
from scripts import load_script

ROOT = Path(__file__).parents[1]

build = load_script(ROOT / "tutorials" / "build.py")
SOURCES = build.sources()
README = (build.FOLDER / "README.md").read_text("utf-8")
COPIES = [
    pytest.param(source, which, id=f"{source.stem}-{which}")
    for source in SOURCES
    for which in build.COPIES
]
MAX_BYTES = 1_500_000
ABSOLUTE_PATH = re.compile(r"(?<![\w.:/])/(?:home|root|tmp|usr|var|opt|work|Users)/|[A-Z]:\\\\")


def read(source: Path, which: str):
    return nbformat.read(build.notebook_path(source, which), as_version=4)


def code_cells(notebook) -> list:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def output_texts(notebook) -> list[str]:
    """Return every text that a notebook's cells put out."""
    texts = []
    for cell in code_cells(notebook):
        for output in cell.outputs:
            parts = output.get("data", {}).items() if "data" in output else [("", output.text)]
            texts += [value for kind, value in parts if not kind.startswith("image/")]
    return texts


def test_readme_lists_every_tutorial_found():
    listed = re.findall(r"\((\d\d_\w+)\.ipynb\)", README)
    assert len(SOURCES) >= len(listed) >= 1
    assert listed == [source.stem for source in SOURCES]


def test_every_notebook_and_cover_has_a_source():
    stems = {source.stem for source in SOURCES}
    for pattern in ("*.ipynb", "solutions/*.ipynb", "covers/*"):
        for path in build.FOLDER.glob(pattern):
            assert path.stem in stems, f"{path.name} is made from no source"


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)
def test_readme_and_notebook_agree_about_the_time(source):
    found = re.search(r"(\d+) minutes of computing, (\d+) minutes with", source.read_text("utf-8"))
    assert f"({source.stem}.ipynb) | {found[1]} of {found[2]} |" in README


def test_readme_shows_every_cover():
    shown = re.findall(r"!\[.+?\]\((covers/[\w.]+)\)", README)
    assert shown == [f"covers/{path.name}" for path in sorted(build.FOLDER.glob("covers/*"))]
    assert [Path(path).stem for path in shown] == [source.stem for source in SOURCES]


def test_glossary_names_the_tutorial_that_introduces_a_term():
    glossary = (ROOT / "docs" / "glossary.md").read_text("utf-8")
    rows = re.findall(r"^\| (.+?) \| .+ \| \[(\d\d)\]\(.+?(\d\d_\w+)\.ipynb\) \|$", glossary, re.M)
    assert len(rows) > 40
    assert [term.lower() for term, *_ in rows] == sorted(term.lower() for term, *_ in rows)
    for name, number, stem in rows:
        text = (build.FOLDER / f"{stem}.py").read_text("utf-8")
        term = re.sub(r" \(\$.*\$\)", "", name)
        words = r"\s+(?:# )?".join(map(re.escape, term.split()))
        assert stem.startswith(number)
        assert re.search(rf"\*\*{words}\*\*", text, re.I), f"{term} is not in bold in {stem}"


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)
def test_links_lead_to_other_notebooks_only(source):
    # What else the repository holds does not come along when notebooks are copied.
    text = "\n".join(c.source for c in build.read_cells(source) if c.cell_type == "markdown")
    links = re.findall(r"\]\((?!https?://|attachment:)(.+?)\)", text)
    assert [link for link in links if not (build.FOLDER / link).with_suffix(".py").exists()] == []
    assert [link for link in links if "/" in link] == []


@pytest.mark.parametrize(("source", "which"), COPIES)
def test_notebook_equals_its_source(source, which):
    made, stored = build.make_notebook(source, which), read(source, which)
    fields = ("id", "cell_type", "source", "metadata")
    expected = [{field: cell[field] for field in fields} for cell in made.cells]
    found = [{field: cell[field] for field in fields} for cell in stored.cells]
    advice = f"{stored.cells[0].source.splitlines()[0]}: run `python tutorials/build.py`"
    assert found == expected, advice
    assert stored.metadata == build.METADATA


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)
def test_building_without_running_changes_nothing(source):
    """Two builds give the same bytes: ids come from the text, outputs are kept."""
    files = build.build(source, run=False)
    assert len(files) == 3  # two notebooks and a cover
    for path, content in files.items():
        assert content == path.read_bytes(), path.name


@pytest.mark.parametrize(("source", "which"), COPIES)
def test_ids_are_valid_and_unique(source, which):
    ids = [cell.id for cell in read(source, which).cells]
    assert len(ids) == len(set(ids))
    nbformat.validate(read(source, which))


def test_ids_depend_on_the_text_alone(tmp_path):
    source = tmp_path / "01_example.py"
    source.write_text("# %% [markdown]\n# Text.\n\n# %%\n1\n\n# %%\n2\n\n# %%\n1\n")
    text, one, two, again = [cell.id for cell in build.read_cells(source)]
    assert again == f"{one}-2"
    source.write_text("# %%\n2\n\n# %% [markdown]\n# New.\n\n# %%\n1\n\n# %% [markdown]\n# Text.\n")
    ids = [cell.id for cell in build.read_cells(source)]
    assert ids[0] == two
    assert ids[2:] == [one, text]


def test_outputs_behind_a_changed_cell_are_not_kept(tmp_path):
    def notebook(*codes):
        cells = [nbformat.v4.new_code_cell(code) for code in codes]
        return nbformat.v4.new_notebook(cells=cells)

    old, new = notebook("a = 1", "a", "a"), notebook("a = 1", "a + 1", "a")
    for count, cell in enumerate(old.cells, start=1):
        cell.execution_count = count
    build.copy_outputs(old, new)
    assert [cell.execution_count for cell in new.cells] == [1, None, None]


def test_a_cover_cell_may_print_text():
    picture = nbformat.v4.new_output("display_data", data={"image/png": "AAAA"})
    made = nbformat.v4.new_code_cell("1", metadata={"tags": ["cover"]})
    made.outputs = [nbformat.v4.new_output("stream", name="stdout", text="a"), picture]
    shown = nbformat.v4.new_markdown_cell("![text](attachment:cover)")
    notebook = nbformat.v4.new_notebook(cells=[shown, made])
    build.set_cover(notebook)
    assert shown.attachments == {"cover": {"image/png": "AAAA"}}


@pytest.mark.parametrize("channels", [1, 3])
def test_a_film_is_kept_with_its_pace_and_made_small(channels):
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 256, (12, 20, channels), "uint8").squeeze() for _ in range(3)]
    first, *rest = map(Image.fromarray, frames)
    options = {"save_all": True, "append_images": rest, "duration": [400, 400, 1200], "loop": 0}
    film = build.encode(first, "gif", **options)
    data = {"image/gif": film, "text/plain": "<IPython.core.display.Image object>"}
    shown = nbformat.v4.new_output("display_data", data=data)
    cleaned, again = (build.clean_outputs([shown], 1)[0].data for _ in range(2))
    assert cleaned == again
    assert list(cleaned) == ["image/gif"]
    assert len(cleaned["image/gif"]) < len(film)
    with Image.open(io.BytesIO(base64.b64decode(cleaned["image/gif"]))) as image:
        assert image.info["loop"] == 0
        pages = [
            (np.asarray(p.convert("RGB")), p.info["duration"])
            for p in ImageSequence.Iterator(image)
        ]
    assert [duration for _, duration in pages] == [400, 400, 1200]
    for (page, _), frame in zip(pages, frames, strict=True):
        wanted = frame[..., None] if channels == 1 else frame
        error = np.abs(page.astype(int) - wanted)
        assert error.mean() < (10 if channels == 1 else 30)
        assert channels == 3 or np.ptp(page, axis=-1).max() == 0  # grey stays grey


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('# %% tags=["exercize"]\n1\n', "exercize"),
        ('# %% tags=["exercise"]\n1\n\n# %% tags=["check"]\n1\n', "solution"),
        ('# %% tags=["check"]\n1\n\n# %%\n1\n', "last"),
    ],
)
def test_sources_with_wrong_tags_are_refused(tmp_path, text, message):
    source = tmp_path / "01_example.py"
    source.write_text(text)
    with pytest.raises(ValueError, match=message):
        build.read_cells(source)


@pytest.mark.parametrize(("source", "which"), COPIES)
def test_notebook_carries_outputs_that_anybody_can_read(source, which):
    path, notebook = build.notebook_path(source, which), read(source, which)
    assert path.stat().st_size < MAX_BYTES
    run = [
        c
        for c in code_cells(notebook)
        if which == "solution" or build.role(c) not in ("exercise", "check")
    ]
    assert [cell.execution_count for cell in run] == list(range(1, len(run) + 1)), (
        "not executed since the last change of its code: run `python tutorials/build.py`"
    )
    outputs = [output for cell in code_cells(notebook) for output in cell.outputs]
    assert any({"image/png", "image/jpeg"} & set(output.get("data", {})) for output in outputs)
    for output in outputs:
        for kind in output.get("data", {}):
            said = output.metadata.get(kind, {}).get("alt", "")
            assert "image" not in kind or len(said.split()) >= 3, f"{said!r}: give it a title"
        assert output.output_type != "error"
        assert output.get("name") != "stderr"
        assert not any("widget" in kind for kind in output.get("data", {}))
    for text in output_texts(notebook):
        assert not ABSOLUTE_PATH.search(text), text
        assert text == build.without_addresses(text)
        assert not re.search(r"<(Axes|Figure)\b", text), f"{text}: not shown as a picture"
    if which == "student":
        for cell in code_cells(notebook)[len(run) :]:
            assert cell.execution_count is None
            assert cell.outputs == []


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)
def test_cover_is_the_picture_that_the_notebook_makes(source):
    for which in build.COPIES:
        notebook = read(source, which)
        shown = [cell for cell in notebook.cells if build.COVER in cell.source]
        made = [cell for cell in notebook.cells if build.role(cell) == "cover"]
        assert len(shown) == len(made)
        for text, cell in zip(shown, made, strict=True):
            assert text.attachments == {"cover": cell.outputs[-1]["data"]}


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)
def test_tutorial_uses_public_names_only(source):
    import keras_imgen

    text = "\n".join(cell.source for cell in build.read_cells(source) if cell.cell_type == "code")
    imports = re.findall(r"from (keras_imgen[\w.]*) import", text)
    assert set(imports) <= {"keras_imgen"}, imports
    for module, name in re.findall(r"\bki\.(\w+)(?:\.(\w+))?", text):
        assert module in keras_imgen.__all__, module
        members = getattr(getattr(keras_imgen, module), "__all__", None)
        assert not name or members is None or name in members, f"{module}.{name}"


@pytest.fixture
def first_cell(tmp_path, monkeypatch):
    """Return a function that runs the first cell in a class's folder without the package.

    It returns what the cell would have installed.
    """
    (cell,) = {codes(source)[0][1] for source in SOURCES}  # one and the same in all tutorials
    commands = []
    monkeypatch.setattr(subprocess, "run", lambda command, check: commands.append(command))
    (tmp_path / "course" / "class").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "course" / "class")

    def run(installed=None, source=""):
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: installed)
        exec(cell.replace('SOURCE = ""', f"SOURCE = {source!r}"), {})
        for command in commands:
            assert command[:-1] == [sys.executable, "-m", "pip", "install", "-q"]
        return [command[-1].removeprefix(f"{tmp_path.as_posix()}/") for command in commands]

    return run


def test_the_first_cell_installs_nothing_that_is_there(first_cell):
    assert first_cell(installed="a module") == []


def test_the_first_cell_installs_what_lies_beside_or_above(first_cell, tmp_path):
    package = Path("../../keras_imgen")
    package.mkdir()
    with pytest.raises(ModuleNotFoundError):  # a folder of that name is no checkout
        first_cell()
    (package / "__init__.py").touch()
    assert first_cell() == [tmp_path.as_posix()]
    for name in ("keras_imgen-0.1.0-py3-none-any.whl", "keras_imgen-0.2.0-py3-none-any.whl"):
        Path(name).touch()
    Path("other-9.0-py3-none-any.whl").touch()
    assert first_cell()[1:] == ["course/class/keras_imgen-0.2.0-py3-none-any.whl"]


def test_the_first_cell_says_how_if_there_is_nothing_to_install(first_cell):
    with pytest.raises(ModuleNotFoundError, match="wheel beside this notebook, or set SOURCE"):
        first_cell()


def test_the_first_cell_takes_what_it_is_told_to_install(first_cell):
    Path("keras_imgen-0.1.0-py3-none-any.whl").touch()
    assert first_cell(source="git+address") == ["git+address"]


def test_a_check_says_its_sentence_without_a_traceback(capsys):
    shell = InteractiveShell()
    check = 'found = 3\nassert found == 2, f"found {found}. Hint: count."'
    for cell in (codes(SOURCES[0])[0][1], check):
        result = shell.run_cell(cell, silent=True)
    assert isinstance(result.error_in_exec, AssertionError)  # "Run all" stops here
    assert capsys.readouterr().out == "Not yet: found 3. Hint: count.\n"
    shell.run_cell("1 / 0", silent=True)
    assert "ZeroDivisionError" in capsys.readouterr().out  # what is no check keeps its traceback


@pytest.mark.slow
@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)
def test_source_runs_with_solutions_and_stops_without(source, tmp_path):
    small = {"KERAS_IMGEN_TUTORIAL": "small", "MPLBACKEND": "Agg"}
    # A process of its own: a notebook finds no name and no state that another one left.
    forks.call(
        run_cells, codes(source), source.name, folder=tmp_path, environment=small, seconds=300
    )


@functools.cache
def codes(source: Path) -> list[tuple[str, str]]:
    """Return the role and the text of every cell of code."""
    cells = build.read_cells(source)
    return [(build.role(cell), cell.source) for cell in cells if cell.cell_type == "code"]


if __name__ == "__main__":  # one tutorial, while it is being written
    run_cells(codes(Path(sys.argv[1])), sys.argv[1])
