"""`keras-imgen tutorials`: copies the notebooks out of the package, so that a class can start."""

import os
import shutil
from pathlib import Path

import keras_imgen
from keras_imgen.files import write_whole


def tutorials(args) -> None:
    """Copy the students' or the teachers' notebooks into a folder; nothing is overwritten."""
    notebooks = sorted((_source() / ("solutions" if args.solutions else "")).glob("*.ipynb"))
    folder = Path(args.out)
    if folder.exists() and not folder.is_dir():
        raise FileExistsError(
            f"The notebooks need a folder of their own. Received: {folder}, which is a file."
        )
    # A student's answers are in these files: better no copy than a lost afternoon.
    if there := [notebook.name for notebook in notebooks if _differs(folder, notebook)]:
        raise FileExistsError(
            f"{folder} already holds {', '.join(there)}, and nothing is overwritten. "
            "Name another folder, or remove what you no longer need."
        )
    for notebook in notebooks:
        with write_whole(folder / notebook.name) as unfinished:
            shutil.copyfile(notebook, unfinished)
        print(folder / notebook.name)
    print(
        f"\n{len(notebooks)} notebooks. Open them with: jupyter notebook {folder}\n"
        "(If there is no Jupyter yet: python -m pip install notebook)"
    )


def _differs(folder, notebook):
    """Return whether a folder holds something else under a notebook's name than its copy."""
    path = folder / notebook.name
    return os.path.lexists(path) and not (
        path.is_file() and path.read_bytes() == notebook.read_bytes()
    )


def _source() -> Path:
    """Return where the notebooks lie: in the installed package, or beside it in the repository."""
    package = Path(keras_imgen.__file__).parent
    for folder in (package / "tutorials", package.parent / "tutorials"):
        if any(folder.glob("*.ipynb")):
            return folder
    raise RuntimeError(
        f"This installation of keras-imgen holds no notebooks (looked beside {package}). "
        "Install the package again."
    )
