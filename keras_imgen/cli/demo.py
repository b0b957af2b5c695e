"""`keras-imgen demo`: trains five families, in as many minutes as it is given."""

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path

import keras

from keras_imgen import load_model, plotting
from keras_imgen.cli.datasets import load_data
from keras_imgen.cli.options import MAX_MINUTES
from keras_imgen.cli.pace import Pace, compile_step, plain_pace, quicker_pace
from keras_imgen.cli.page import SHOWN, too_short, write_page
from keras_imgen.cli.progress import Progress
from keras_imgen.cli.recipes import RECIPES as ALL
from keras_imgen.cli.runs import arguments, built, film, finish, is_finished, settle, settled
from keras_imgen.files import locked, write_whole

# A diffusion model draws no digit after a minute: it needs twenty.
RECIPES = {family: ALL[family] for family in SHOWN}
ROUNDS = 8  # epochs of each training, however long: a film has so many pictures
ENOUGH = 20.0  # minutes in which a slow machine has something to show
MARGIN = 0.05  # of the time that is left, for what nobody foresees


def demo(args) -> None:
    """Train each family on its embedded set and write `index.html`."""
    folder = Path(args.out)
    if folder.is_file():
        raise FileExistsError(f"{str(folder)!r} is a file. Pass a folder as --out.")
    if not {*RECIPES, "index.html", "demo.json"}.issuperset(_visible(folder)):
        raise FileExistsError(
            f"{str(folder)!r} holds other files. Pass another --out; nothing was changed."
        )
    begin = time.monotonic()
    with locked(folder):
        _claim(folder, args)
        _train_all(args, folder, begin)
        figures = {family: _figures(folder / family) for family in RECIPES}
        page = write_page(folder, figures)
    print(f"\nDone in {time.monotonic() - begin:.0f} seconds. Open {page} in a browser.")
    minutes = 4.0 * args.minutes
    if short := [RECIPES[family].title for family in RECIPES if too_short(figures[family])]:
        print(f"Trained far too short to show what it can do: {'; '.join(short)}.")
        minutes = max(minutes, ENOUGH)
    print(
        "The longer it may train, the better it draws and restores: "
        f"keras-imgen demo --minutes {min(minutes, MAX_MINUTES):g} --out {folder}-longer"
    )


def _visible(folder):
    """Return the names in a folder but hidden ones, such as that of its lock."""
    paths = folder.iterdir() if folder.is_dir() else ()
    return [path.name for path in paths if path.name[0] != "."]


def _claim(folder, args):
    """Write down what is asked for, or raise if the folder holds another demo."""
    wanted = {"minutes": args.minutes, "seed": args.seed}
    try:
        there = json.loads((folder / "demo.json").read_text())
    except FileNotFoundError:
        there = {} if _visible(folder) else wanted
    if there != wanted:
        details = ", ".join(f"{k} {there.get(k)} there, {v} here" for k, v in wanted.items())
        raise FileExistsError(
            f"{str(folder)!r} holds another demo: {details}. Pass another --out. Nothing changed."
        )
    with write_whole(folder / "demo.json") as unfinished:
        unfinished.write_text(json.dumps(wanted) + "\n")


def _figures(folder):
    """Return the figures that a family left, or None if there are none or they are damaged."""
    try:
        figures = json.loads((folder / "figures.json").read_text())
        return figures if {"seconds", "steps", "measured"} <= set(figures) else None
    except (FileNotFoundError, ValueError, TypeError):
        return None


@dataclass
class Part:
    """One family in the demo: what is trained, and what of it has been measured."""

    args: argparse.Namespace
    folder: Path
    model: keras.Model = None
    data: object = None
    test: object = None
    pace: Pace = None
    showing: float = 0.0  # seconds in which results are measured and drawn, in all

    @property
    def recipe(self):
        """What is trained."""
        return RECIPES[self.args.family]

    @property
    def draws(self):
        """Whether it draws new pictures, and a film of its training is shown."""
        return hasattr(self.model, "sample")

    @property
    def need(self):
        """How many steps the family takes until it is worth a look, by which time is shared."""
        return self.recipe.epochs * len(self.data)


def _train_all(args, folder, begin):
    """Train what is not there yet: first what had begun, then the others in the time that is left.

    How many steps each takes is settled when it begins, from how long a step of each takes, and
    stored: a training that is cut off goes on to the same bits.
    """
    parts = [_part(args, family, folder / family) for family in RECIPES]
    kept = [part for part in parts if is_finished(part.folder, part.args)]
    begun = [part for part in parts if part not in kept and settled(part.folder)]
    waiting = [part for part in parts if part not in kept and part not in begun]
    seconds = 60.0 * args.minutes * len(waiting) / len(parts)
    for part in kept:
        if _figures(part.folder):
            print(f"{part.recipe.title}: done before; kept.")
            continue
        part.model = load_model(part.folder / "model.keras")
        part.test = load_data(part.args, part.recipe)[1]
        _show(part, None)
    for part in begun:
        part.model, part.data, part.test = built(part.args)
        _train(part, settled(part.folder), lambda own: own + seconds, begin)
    _train_within(waiting, seconds, begin)


def _train_within(waiting, seconds, begin):
    """Train in so many seconds, in which the steps of each are timed first."""
    end = time.monotonic() + seconds
    if waiting:
        print("Timing a few steps of each model ...", flush=True)
    for part in waiting:
        part.model, part.data, part.test = built(part.args)
        part.pace = plain_pace(part.model, part.data)
        part.showing = _seconds_of_showing(part)
    for part, share in zip(waiting, _shares(waiting, end), strict=True):
        part.pace = quicker_pace(part.model, part.data, part.pace, share)
    while waiting:
        # Anew for each: what an earlier one took too much or too little, the others share.
        share = _shares(waiting, end)[0]
        part = waiting.pop(0)
        steps = part.pace.steps_within(share)
        steps -= steps % min(ROUNDS, steps)
        choices = {"jit_compile": part.pace.jit_compile, "steps": steps, "worth": part.need}
        settle(part.folder, part.args, choices)
        _train(part, choices, lambda own: max(own, end - time.monotonic()), begin)


def _part(args, family, folder):
    return Part(arguments(family, epochs=ROUNDS, seed=args.seed), folder)


def _shares(parts, end):
    """Return the seconds in which each part steps, of those left until the end."""
    left = (end - time.monotonic()) * (1.0 - MARGIN) - sum(part.showing for part in parts)
    return _shared(left, [(part.need, part.pace.step) for part in parts])


def _shared(seconds, steps):
    """Share seconds among trainings, of each of which a number of steps and their pace is given."""
    wanted = [number * step for number, step in steps]
    return [max(0.0, seconds) * part / sum(wanted) for part in wanted]


def _seconds_of_showing(part):
    """Return how long it takes to measure and draw the results, and a picture in every round."""
    start = time.monotonic()
    part.recipe.measure(part.model, part.test)
    measuring = time.monotonic() - start
    watch = part.recipe.watch(part.test, None)
    watch.set_model(part.model)
    watch.on_train_begin()
    start = time.monotonic()
    watch.draw()
    return measuring + (1 + ROUNDS * part.draws) * (time.monotonic() - start)


def _train(part, choices, left, begin):
    """Train for the steps that were settled, then measure and draw."""
    # Of a training that was cut off, nobody knows how long its first part took.
    start = None if settled(part.folder) else time.monotonic()
    if part.pace is None:
        compile_step(part.model, choices["jit_compile"])
    rounds = min(ROUNDS, choices["steps"])
    step = part.pace.step if part.pace else 0.0
    callbacks = [Progress(part.recipe.title, left, begin, step)]
    if part.draws:
        callbacks = [*film(part.args, part.test, part.folder), *callbacks]
    finish(
        part.folder,
        part.model,
        part.data,
        epochs=rounds,
        steps_per_epoch=choices["steps"] // rounds,
        callbacks=callbacks,
        verbose=0,
    )
    _show(part, start)
    part.model = part.data = part.test = None  # the memory is for the next ones


def _show(part, start):
    """Measure, draw, and write down what was measured and how long it all took."""
    measured = part.recipe.measure(part.model, part.test)
    _draw(part.model, part.test, part.folder)
    seconds = None if start is None else time.monotonic() - start
    steps = {key: value for key, value in settled(part.folder).items() if key in ("steps", "worth")}
    figures = {"seconds": seconds, **steps, "measured": measured}
    with write_whole(part.folder / "figures.json") as unfinished:
        unfinished.write_text(json.dumps(figures, indent=2) + "\n")
    print(part.recipe.title)
    for name, (before, after) in measured.items():
        print(f"  {name}: {before:.2f} before, {after:.2f} after", flush=True)


def _draw(model, test, folder):
    """Write what the page shows: samples, or observed, restored and clean pictures."""
    if hasattr(model, "sample"):
        plotting.save_grid(folder / "result.png", model.sample(100, seed=0), columns=10, scale=2)
        return
    clean = test.take(3)
    observed = keras.ops.convert_to_numpy(model.degradation(clean, training=False))
    shown = {
        "observed": observed[..., : clean.shape[-1]],
        "restored": model.restore(observed),
        "clean": clean,
    }
    if clean.ndim == 4:
        for name, pictures in shown.items():
            plotting.save_grid(folder / f"{name}.png", pictures, columns=3, padding=4)
        return
    for name, (sequence, *_) in shown.items():
        plotting.save_grid(folder / f"{name}.png", sequence, columns=len(sequence), scale=2)
    rows = [plotting.side_by_side(*sequences) for sequences in shown.values()]
    frames = [plotting.image_grid(pages, columns=1) for pages in zip(*rows, strict=True)]
    plotting.save_gif(folder / "result.gif", frames, seconds=0.25, scale=3)
