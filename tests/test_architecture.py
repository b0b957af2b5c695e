"""The shape of the package: who imports whom, what is public, and that importing has no effect."""

import ast
import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import keras
import pytest

import keras_imgen

ROOT = Path(keras_imgen.__file__).parent
FILES = sorted(f for f in ROOT.rglob("*.py") if "assets" not in f.parts)

PUBLIC = [
    "__version__",
    "callbacks",
    "data",
    "degradations",
    "losses",
    "metrics",
    "models",
    "networks",
    "plotting",
    "GAN",
    "VAE",
    "Diffusion",
    "Restorer",
    "estimate_sigma",
    "load",
    "load_arrays",
    "load_example",
    "load_folder",
    "load_model",
    "load_moving_digits",
    "load_moving_photos",
    "load_pretrained",
    "load_sequences",
]

# Whom each part may import. Parts that are folders count as one; imports point down.
ALLOWED = {
    "__main__": {"cli"},
    "__init__": {*PUBLIC, "processor"},
    "cli": {
        *PUBLIC,
        *("backends", "checks", "files", "interrupts", "matching", "processor"),
        *("sigma", "pretrained"),
    },
    "callbacks": {
        *("backends", "checks", "data", "files", "inference", "losses", "metrics", "plotting"),
        *("saving", "training"),
    },
    "gan": {"backends", "checks", "data", "losses", "search", "training"},
    "vae": {"backends", "checks", "data", "inference", "losses", "search", "training"},
    "search": {"backends", "checks", "degradations", "inference", "matching"},
    "diffusion": {"backends", "checks", "degradations", "inference", "matching", "training"},
    "restoration": {
        *("backends", "checks", "data", "degradations", "inference", "matching", "metrics"),
        *("prior", "sequences", "sizes", "training"),
    },
    "sequences": {"backends", "checks", "data", "inference", "matching"},
    "prior": {"checks", "data", "degradations", "inference", "matching"},
    "matching": {"backends", "checks", "data", "degradations", "sizes"},
    "pretrained": {"checks", "degradations", "networks", "restoration", "settings"},
    "inference": {"backends", "checks", "networks"},
    "sizes": set(),
    "sigma": {"checks", "data", "degradations", "pretrained"},
    "training": {
        *("backends", "checks", "data", "degradations", "files", "inference", "interrupts"),
        *("losses", "saving", "settings"),
    },
    "plotting": {"checks", "data", "files", "metrics"},
    "models": {"training"},
    "metrics": {"backends", "checks", "data", "settings"},
    "backends": set(),
    "checks": set(),
    "files": {"checks"},
    "interrupts": set(),
    "processor": set(),
    "saving": {"checks"},
    "data": {"checks", "files"},
    "degradations": {"backends", "checks", "settings"},
    "losses": {"checks"},
    "networks": {"checks", "settings", "sizes"},
    "settings": set(),
}
# What takes seconds to import, or need not be installed, is imported where it is used.
HEAVY = {"IPython", "PIL", "av", "jax", "matplotlib", "tensorflow", "tensorflow_datasets", "torch"}
EXCEPTIONS = {f"backends/{name}.py": {name} for name in ("jax", "tensorflow", "torch")}


def part_of(file):
    return file.relative_to(ROOT).parts[0].removesuffix(".py")


def imports_of(node):
    """Return the dotted names of all imports below a node."""
    names = set()
    for child in ast.walk(node):
        if isinstance(child, ast.Import):
            names |= {alias.name for alias in child.names}
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, "imports within the package are absolute"
            names |= {f"{child.module}.{alias.name}" for alias in child.names}
    return names


@pytest.mark.parametrize("part", sorted({part_of(file) for file in FILES}))
def test_imports_point_down(part):
    imported = set()
    for file in FILES:
        if part_of(file) == part:
            for name in imports_of(ast.parse(file.read_text())):
                package, *rest = name.split(".")
                if package == "keras_imgen" and rest:
                    imported.add(rest[0])
    assert imported - {part} <= ALLOWED[part]


def test_the_table_has_no_circle():
    order = [
        "backends",
        "checks",
        "files",
        "data",
        "settings",
        "degradations",
        "interrupts",
        "processor",
        "losses",
        "sizes",
        "matching",
        "networks",
    ]
    order += [
        "saving",
        "metrics",
        "plotting",
        "inference",
        "training",
        "models",
        "search",
        "gan",
        "vae",
        "diffusion",
        "prior",
        "sequences",
        "restoration",
    ]
    order += ["callbacks", "pretrained", "sigma"]
    for position, part in enumerate(order):
        assert ALLOWED[part] <= set(order[:position])


def test_no_two_files_have_one_name():
    names = [file.name for file in FILES if file.name != "__init__.py"]
    assert sorted({name for name in names if names.count(name) > 1}) == []


def test_the_long_tests_exist():
    tests = Path(__file__).parent
    for name in (tests / "long_tests.txt").read_text("utf-8").splitlines():
        file, _, function = name.partition("[")[0].partition("::")
        assert f"def {function}(" in (tests.parent / file).read_text("utf-8"), name


def outside_functions(tree):
    """Return the tree without the bodies of its functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [ast.Pass()]
    return tree


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_heavy_packages_are_imported_where_they_are_used(file):
    names = imports_of(outside_functions(ast.parse(file.read_text())))
    heavy = {name.split(".")[0] for name in names} & HEAVY
    assert heavy == EXCEPTIONS.get(file.relative_to(ROOT).as_posix(), set())


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_files_are_short_and_say_what_they_are(file):
    text = file.read_text()
    assert len(text.splitlines()) <= 400
    docstring = ast.get_docstring(ast.parse(text))
    assert docstring
    assert docstring.splitlines()[0].endswith(".")
    assert not any(isinstance(node, ast.Assert) for node in ast.walk(ast.parse(text)))


# ---- what is public ----


def public_members():
    """Return everything callable that is public, by its dotted name."""
    members = {name: getattr(keras_imgen, name) for name in PUBLIC}
    for name in PUBLIC:
        if inspect.ismodule(members[name]):
            module = members[name]
            members |= {f"{name}.{key}": getattr(module, key) for key in module.__all__}
    return {name: member for name, member in members.items() if callable(member)}


MEMBERS = public_members()
MODELS = (keras_imgen.GAN, keras_imgen.VAE, keras_imgen.Restorer)
METHODS = {
    f"{model.__name__}.{name}": getattr(model, name)
    for model in MODELS
    for name in ("compile", "fit", "evaluate", "sample", "reconstruct", "restore")
    if hasattr(model, name)
}


def test_the_public_names():
    assert keras_imgen.__all__ == PUBLIC
    assert dir(keras_imgen) == sorted(PUBLIC)
    assert all(hasattr(keras_imgen, name) for name in PUBLIC)
    assert re.fullmatch(r"\d+\.\d+\.\d+", keras_imgen.__version__)
    with pytest.raises(AttributeError, match="Gan"):
        _ = keras_imgen.Gan


@pytest.mark.parametrize("name", PUBLIC)
def test_public_modules_list_what_they_hold(name):
    module = getattr(keras_imgen, name)
    if inspect.ismodule(module):
        assert len(set(module.__all__)) == len(module.__all__) > 0
        assert all(hasattr(module, key) for key in module.__all__)


def section(docstring, title):
    """Return the indented lines below a title, or nothing."""
    found = re.search(rf"^{title}:\n((?:[ \t]+.*\n?|\n)+)", docstring, re.MULTILINE)
    return found.group(1) if found else ""


def documented(docstring):
    """Return the names of the arguments that a docstring explains."""
    lines = section(docstring, "Args") + section(docstring, "Attributes")
    return re.findall(r"^    \**(\w+): ", lines, re.MULTILINE)


def parameters_of(member):
    if inspect.isclass(member) and issubclass(member, Exception):
        return []  # Python knows no signature of them
    parameters = inspect.signature(member).parameters.values()
    return [p.name for p in parameters if p.name not in ("self", "kwargs", "args")]


@pytest.mark.parametrize("name", [*MEMBERS, *METHODS])
def test_docstrings_explain_every_argument(name):
    member = {**MEMBERS, **METHODS}[name]
    docstring = inspect.getdoc(member) or ""
    first, *rest = docstring.splitlines()
    assert first.endswith(".")
    assert not rest or not rest[0]
    # `name` and `dtype` are Keras's own; `seed` of a layer refers to its base.
    expected = set(parameters_of(member)) - {"name", "dtype"}
    missing = expected - set(documented(docstring))
    assert not missing, f"Args: of {name} does not explain {sorted(missing)}"
    unknown = set(documented(docstring)) - set(parameters_of(member)) - {"kwargs"}
    if not inspect.isclass(member):
        assert not unknown, f"Args: of {name} explains {sorted(unknown)}, which it does not take"


@pytest.mark.parametrize("name", MEMBERS)
def test_docstrings_show_an_example(name):
    docstring = inspect.getdoc(MEMBERS[name])
    assert ">>>" in section(docstring, "Example"), f"{name} has no example"


# ---- importing ----

COURSE = """
import sys
import keras
before = set(sys.modules)
import keras_imgen
"""
LESSON = """
import sys
import course, keras
assert keras.saving.get_registered_object("keras_imgen>GAN"), "not all is there"
added = {name.split(".")[0] for name in set(sys.modules) - course.before}
heavy = {"matplotlib", "PIL", "tensorflow_datasets", "IPython"} & added  # Keras has its own
assert not heavy, heavy
"""


def run_python(*arguments, cwd):
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT.parent)},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_importing_has_no_effect(tmp_path):
    # By `python -m course.lesson`, where sys.argv[0] is "-m" as for the command's own start.
    course = tmp_path / "course"
    course.mkdir()
    (course / "__init__.py").write_text(COURSE)
    (course / "lesson.py").write_text(LESSON)
    done = run_python("-B", "-m", "course.lesson", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert "keras_imgen" not in done.stderr
    assert {f.name for f in tmp_path.rglob("*")} == {"course", "__init__.py", "lesson.py"}


LAZY = """
import sys
sys.argv = ["/usr/bin/keras-imgen", "--help"]
import keras_imgen
assert not {"keras", "tensorflow", "jax", "numpy"} & set(sys.modules)
"""


def test_the_command_does_not_import_keras_for_its_help(tmp_path):
    done = run_python("-c", LAZY, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    done = run_python("-X", "importtime", "-m", "keras_imgen", "--help", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "usage: keras-imgen" in done.stdout
    imported = {line.split("|")[-1].strip() for line in done.stderr.splitlines() if "|" in line}
    assert "keras_imgen" in imported
    assert not {"keras", "tensorflow", "matplotlib", "tensorflow_datasets"} & imported


def test_everything_saved_is_registered():
    # Keras loads a file under `safe_mode` without `custom_objects` only for registered classes.
    saved = (keras.Model, keras.layers.Layer, keras.metrics.Metric)
    bases = {"degradations.Degradation", "degradations.WithMask", "degradations.WithStrength"}
    bases |= {f"models.{name}" for name in ("PictureModel", "Sampler", "LatentModel")}
    for name, member in MEMBERS.items():
        if inspect.isclass(member) and issubclass(member, saved) and name not in bases:
            registered = keras.saving.get_registered_name(member)
            assert registered == f"keras_imgen>{member.__name__}"
