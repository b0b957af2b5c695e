"""Make the notebooks of the tutorials from their sources, and run them.

`NN_name.py` is the only file that is edited. From it come two notebooks:

- `NN_name.ipynb`, the student's copy: each exercise with its stub, and the check that judges it;
- `solutions/NN_name.ipynb`, the teacher's copy: the stubs are replaced by the solutions.

The teacher's copy is executed. The student's copy takes over the outputs of all cells before the
exercises; exercises and checks stay unexecuted, for the student to run. The picture that a notebook
opens with is also written to `covers/`, for the list in README.md.
"""

import argparse
import base64
import copy
import hashlib
import io
import os
import re
import sys
import tempfile
from datetime import datetime
from pathlib import Path

import jupytext
import nbformat
from PIL import Image, ImageSequence

FOLDER = Path(__file__).resolve().parent
COPIES = ("student", "solution")
TAGS = {"setup", "exercise", "solution", "check", "cover"}
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
COVER = "attachment:cover"


def sources() -> list[Path]:
    """Return the sources of all tutorials, in their order."""
    return sorted(FOLDER.glob("[0-9][0-9]_*.py"))


def notebook_path(source: Path, which: str) -> Path:
    """Return where one copy of a tutorial lies."""
    folder = source.parent / "solutions" if which == "solution" else source.parent
    return folder / f"{source.stem}.ipynb"


def read_cells(source: Path) -> list:
    """Return the cells of a source, exercises and solutions alike, with ids made from their text.

    Raises:
        ValueError: for an unknown tag, or exercises that are not stub, solution, check at the end.
    """
    cells = jupytext.read(source, fmt="py:percent").cells
    seen = {}
    for cell in cells:
        cell.source = re.sub(r"  # noqa: \w+$", "", cell.source, flags=re.MULTILINE)
        digest = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:12]
        seen[digest] = seen.get(digest, 0) + 1
        cell.id = digest if seen[digest] == 1 else f"{digest}-{seen[digest]}"
        tags = cell.metadata.get("tags", [])
        if unknown := set(tags) - TAGS:
            raise ValueError(
                f"Tags of {source.name} must be among {sorted(TAGS)}. Received: {sorted(unknown)}."
            )
        cell.metadata = nbformat.from_dict({"tags": tags} if tags else {})
    order = "".join(
        {"exercise": "e", "solution": "s", "check": "c"}.get(role(c), ".")
        for c in cells
        if c.cell_type == "code"
    )
    if not re.fullmatch(r"\.*(esc)*", order):
        raise ValueError(
            f"The exercises of {source.name} must come last, each as three code cells tagged "
            f"exercise, solution, check. Received: the order {order!r} (. is any other code cell)."
        )
    return cells


def role(cell) -> str:
    """Return the tag that says what a cell is for, or an empty string."""
    return next(iter(cell.metadata.get("tags", [])), "")


def make_notebook(source: Path, which: str):
    """Return one copy of a tutorial, without outputs."""
    dropped = {"student": "solution", "solution": "exercise"}[which]
    cells = [copy.deepcopy(cell) for cell in read_cells(source) if role(cell) != dropped]
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=METADATA)
    notebook.nbformat_minor = 5
    return notebook


def execute(notebook) -> None:
    """Run a notebook in a fresh kernel and an empty folder, and clean what it put out."""
    from nbclient import NotebookClient

    paths = [str(FOLDER.parent), os.environ.get("PYTHONPATH", "")]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    for name in ("KERAS_IMGEN_TUTORIAL", "MPLBACKEND"):  # full settings, pictures in the notebook
        environment.pop(name, None)
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as profile:
        startup = Path(profile) / "profile_default" / "startup"
        startup.mkdir(parents=True)
        # What the kernel runs before the first cell. It leaves no name behind.
        first = f"import sys\nsys.path.insert(0, {str(FOLDER)!r})\n"
        first += "__import__('alt_text').install()\ndel sys.path[0], sys\n"
        (startup / "first.py").write_text(first, encoding="utf-8")
        environment["IPYTHONDIR"] = profile
        client = NotebookClient(notebook, timeout=1800, kernel_name="python3")
        client.execute(cwd=folder, env=environment)
    notebook.metadata = nbformat.from_dict(METADATA)  # the client adds the kernel's version
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    total = sum(print_seconds(cell) for cell in code)
    print(f"  {total:4.0f} s in all cells")
    for count, cell in enumerate(code, start=1):
        cell.metadata.pop("execution", None)
        cell.execution_count = count
        cell.outputs = clean_outputs(cell.outputs, count)


def print_seconds(cell) -> float:
    """Return how long a cell ran; print it if that was long, to compare with what the text says."""
    times = [datetime.fromisoformat(t) for t in cell.metadata.get("execution", {}).values()]
    seconds = (max(times) - min(times)).total_seconds() if times else 0.0
    if seconds > 5.0:
        first = cell.source.splitlines()[0]
        print(f"  {seconds:4.0f} s  {first}")
    return seconds


def clean_outputs(outputs, count: int) -> list:
    """Return outputs that are the same after every run: no stderr, no addresses.

    Of the metadata only what is read aloud in a picture's place is kept.
    """
    cleaned = []
    for output in outputs:
        if output.output_type == "stream":
            if output.name == "stderr":
                continue
            text = without_addresses(output.text)
            if cleaned and cleaned[-1].output_type == "stream":
                cleaned[-1].text += text
            else:
                cleaned.append(nbformat.v4.new_output("stream", name="stdout", text=text))
            continue
        data = {kind: value for kind, value in output.data.items() if kind != "text/html"}
        if "image/png" in data:
            data = shrink(data["image/png"])
        elif "image/gif" in data:
            data = {"image/gif": shrink_film(data["image/gif"])}
        else:
            data = {kind: without_addresses(value) for kind, value in data.items()}
        extra = {"execution_count": count} if output.output_type == "execute_result" else {}
        told = [given for given in output.metadata.values() if isinstance(given, dict)]
        if spoken := [given["alt"] for given in told if "alt" in given]:
            extra["metadata"] = {kind: {"alt": spoken[0]} for kind in data if "image" in kind}
        cleaned.append(nbformat.v4.new_output(output.output_type, data=data, **extra))
    return cleaned


def shrink(picture: str) -> dict[str, str]:
    """Return a PNG picture (in base64) made small: grey if it is, photographs and noise as JPEG.

    Returns:
        The picture under its kind, `image/png` or `image/jpeg`.
    """
    image = Image.open(io.BytesIO(base64.b64decode(picture))).convert("RGB")
    grey = image.convert("L")
    if grey.convert("RGB").tobytes() == image.tobytes():
        image = grey
    elif image.getcolors(256):
        image = image.quantize(256)
    png = encode(image, "png", optimize=True)
    if image.mode == "P":
        return {"image/png": png}
    jpeg = encode(image, "jpeg", quality=88)
    return {"image/jpeg": jpeg} if len(jpeg) < 0.75 * len(png) else {"image/png": png}


def shrink_film(film: str) -> str:
    """Return a GIF (in base64) made small: in few shades, which moving pictures can do with."""
    with Image.open(io.BytesIO(base64.b64decode(film))) as image:
        pages = [
            (page.convert("RGB"), page.info["duration"]) for page in ImageSequence.Iterator(image)
        ]
    grey = all(page.convert("L").convert("RGB").tobytes() == page.tobytes() for page, _ in pages)
    first, *rest = [
        page.convert("L").quantize(16) if grey else page.quantize(64) for page, _ in pages
    ]
    durations = [duration for _, duration in pages]
    return encode(first, "gif", save_all=True, append_images=rest, duration=durations, loop=0)


def encode(image: Image.Image, kind: str, **options) -> str:
    """Return a picture as a file in base64."""
    file = io.BytesIO()
    image.save(file, format=kind, **options)
    return base64.b64encode(file.getvalue()).decode()


def without_addresses(text: str) -> str:
    """Replace memory addresses, which differ from run to run."""
    return re.sub(r"0x[0-9a-f]{6,}", "0x...", text)


def copy_outputs(giver, taker) -> None:
    """Take over the outputs of equal cells, up to the first code cell that differs.

    What a cell puts out depends on the code before it. So nothing behind a change is taken over,
    nor anything from the exercises on.
    """
    given = [cell for cell in giver.cells if cell.cell_type == "code"]
    taken = [cell for cell in taker.cells if cell.cell_type == "code"]
    for old, new in zip(given, taken, strict=False):
        if old.source != new.source:
            break
        new.outputs, new.execution_count = old.outputs, old.execution_count


def set_cover(notebook) -> None:
    """Attach the picture that the cell tagged `cover` puts out to the text that shows it."""
    pictures = [
        {kind: data for kind, data in output.data.items() if kind.startswith("image/")}
        for cell in notebook.cells
        if role(cell) == "cover"
        for output in cell.get("outputs", [])
        if "data" in output  # which printed text has not
    ]
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and COVER in cell.source and pictures:
            cell.attachments = {COVER.split(":")[1]: pictures[-1]}


def cover_file(source: Path, notebook) -> dict[Path, bytes]:
    """Return path and content of the picture that a notebook opens with; nothing if it has none."""
    return {
        source.parent / "covers" / f"{source.stem}.{kind.split('/')[1]}": base64.b64decode(data)
        for cell in notebook.cells
        for kind, data in cell.get("attachments", {}).get(COVER.split(":")[1], {}).items()
    }


def build(source: Path, run: bool) -> dict[Path, bytes]:
    """Return path and content of both notebooks of a tutorial and of its cover."""
    notebooks = {which: make_notebook(source, which) for which in COPIES}
    if run:
        execute(notebooks["solution"])
        copy_outputs(notebooks["solution"], notebooks["student"])
    else:
        for which, notebook in notebooks.items():
            path = notebook_path(source, which)
            if path.exists():
                copy_outputs(nbformat.read(path, as_version=4), notebook)
    for notebook in notebooks.values():
        set_cover(notebook)
        nbformat.validate(notebook)
    files = {
        notebook_path(source, which): (nbformat.writes(notebook) + "\n").encode()
        for which, notebook in notebooks.items()
    }
    return files | cover_file(source, notebooks["student"])


def main(arguments=None) -> int:
    """Build or check the tutorials named, by default all."""
    parser = argparse.ArgumentParser(description="Make the tutorials' notebooks, and run them.")
    parser.add_argument("names", nargs="*", metavar="NAME", help='for example "01"; default: all')
    parser.add_argument(
        "--no-execute",
        action="store_true",
        help="run nothing: keep the outputs of the cells before the first changed code cell",
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="write nothing: exit with 1 if a file is not what its source makes",
    )
    options = parser.parse_args(arguments)
    chosen = [s for s in sources() if not options.names or s.stem.startswith(tuple(options.names))]
    if not chosen:
        parser.error(f"no tutorial is called {' or '.join(options.names)}")
    stale = False
    for source in chosen:
        files = build(source, run=not (options.no_execute or options.check))
        old = set(source.parent.glob(f"covers/{source.stem}.*")) - set(files)
        for path in old:  # a cover of another kind
            stale = True
            print(f"{path.relative_to(FOLDER)}: not made any more")
            if not options.check:
                path.unlink()
        for path, content in files.items():
            name = path.relative_to(FOLDER)
            same = path.exists() and path.read_bytes() == content
            if options.check:
                stale |= not same
                print(f"{name}: {'up to date' if same else 'differs from its source'}")
                continue
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
            print(f"{name}: {'unchanged' if same else 'written'}, {len(content) / 1e6:.2f} MB")
    return int(stale and options.check)


if __name__ == "__main__":
    sys.exit(main())
