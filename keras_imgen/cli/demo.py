"""`keras-imgen demo`: trains all five families and shows them on one page."""

import argparse
import html
import json
import time
from pathlib import Path

import keras

from keras_imgen import load_model, plotting
from keras_imgen.cli.recipes import RECIPES, load_data
from keras_imgen.cli.runs import IDENTITY, is_finished, run
from keras_imgen.files import locked, write_whole


def demo(args) -> None:
    """Train each family on its embedded set and write `index.html`."""
    folder = Path(args.out)
    if folder.is_file():
        raise FileExistsError(f"{str(folder)!r} is a file. Pass a folder as --out.")
    if not {*RECIPES, "index.html"}.issuperset(_visible(folder)):
        raise FileExistsError(
            f"{str(folder)!r} holds other files. Pass another --out; nothing was changed."
        )
    start = time.monotonic()
    with locked(folder):
        for number, (family, recipe) in enumerate(RECIPES.items(), 1):
            print(f"\n[{number}/{len(RECIPES)}] {recipe.title}", flush=True)
            _family(args, family, folder / family)
        page = _write_page(folder)
    print(f"\nDone in {time.monotonic() - start:.0f} seconds. Open {page} in a browser.")


def _visible(folder):
    """Return the names in a folder but hidden ones, such as that of its lock."""
    paths = folder.iterdir() if folder.is_dir() else ()
    return [path.name for path in paths if path.name[0] != "."]


def _family(args, family, folder):
    """Train one family unless it is there already; measure and draw it."""
    own = argparse.Namespace(**dict.fromkeys(IDENTITY))  # all as the family has them
    own.family, own.epochs, own.seed = family, args.epochs, args.seed
    if is_finished(folder, own) and _figures(folder):
        print("Done before; kept.")
        return
    recipe = RECIPES[family]
    started_before = bool(_visible(folder))
    start = time.monotonic()
    if (folder / "model.keras").is_file():
        model = load_model(folder / "model.keras")
        test = load_data(own, recipe)[1]
    else:
        model, test = run(own, folder)
    # Of a training that was cut off, nobody knows how long its first part took.
    seconds = None if started_before else time.monotonic() - start
    measured = recipe.measure(model, test)
    _draw(model, test, folder)
    figures = {"seconds": seconds, "measured": measured}
    with write_whole(folder / "figures.json") as unfinished:
        unfinished.write_text(json.dumps(figures, indent=2) + "\n")
    for name, (before, after) in measured.items():
        print(f"  {name}: {before:.2f} before, {after:.2f} after")


def _figures(folder):
    """Return the figures that a family left, or None if there are none or they are damaged."""
    try:
        figures = json.loads((folder / "figures.json").read_text())
        return figures if {"seconds", "measured"} <= set(figures) else None
    except (FileNotFoundError, ValueError, TypeError):
        return None


def _draw(model, test, folder):
    """Write `result.png`, and for sequences `result.gif`."""
    path = folder / "result.png"
    if hasattr(model, "sample"):
        plotting.save_grid(path, model.sample(100, seed=0), columns=10, scale=2)
        return
    clean = test.take(3)
    observed = keras.ops.convert_to_numpy(model.degradation(clean, training=False))
    restored = model.restore(observed)
    if clean.ndim == 4:
        _save(plotting.plot_before_after(observed, restored, clean), path)
        return
    _save(plotting.plot_sequence(observed, restored, clean), path)
    strips = (observed[..., : clean.shape[-1]], restored, clean)
    frames = [
        plotting.image_grid([sequence[t] for strip in strips for sequence in strip], columns=3)
        for t in range(clean.shape[1])
    ]
    plotting.save_gif(folder / "result.gif", frames, seconds=0.25, scale=3)


def _save(figure, path):
    with write_whole(path) as unfinished:
        figure.savefig(unfinished)


PAGE = """<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>keras_imgen demo</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 1rem }}
img {{ max-width: 100%; image-rendering: pixelated; margin: .3rem .6rem .3rem 0 }}
td, th {{ padding: .2rem 1rem .2rem 0; text-align: left }}
td + td, th + th {{ text-align: right; font-variant-numeric: tabular-nums }}
section {{ border-top: 1px solid #ccc; padding-top: .5rem }}
p {{ color: #444 }}
</style>
<h1>Five models, trained on this machine</h1>
<p>Every figure and picture below was measured and drawn on held-out pictures when this page was
made. {duration}</p>
{sections}
</html>
"""

SECTION = """<section>
<h2>{title}</h2>
<p>{text}</p>
<table><tr><th>measured on held-out pictures</th><th>before</th><th>after</th></tr>
{rows}</table>
<p>{pictures}</p>
</section>"""


def _write_page(folder):
    """Write the page from the figures that each family left."""
    sections, seconds = [], []
    for family, recipe in RECIPES.items():
        figures = _figures(folder / family)
        seconds.append(figures["seconds"])
        rows = "".join(
            f"<tr><td>{html.escape(name)}</td><td>{before:.2f}</td><td>{after:.2f}</td></tr>\n"
            for name, (before, after) in figures["measured"].items()
        )
        names = [n for n in ("result.png", "result.gif") if (folder / family / n).is_file()]
        if family in ("gan", "vae"):
            names.append("samples.gif")
        pictures = "".join(
            f'<img src="{family}/{name}" alt="{html.escape(recipe.title)}: {name}">\n'
            for name in names
        )
        sections.append(
            SECTION.format(
                title=html.escape(recipe.title),
                text=html.escape(recipe.text),
                rows=rows,
                pictures=pictures,
            )
        )
    if None in seconds:
        duration = "Training was interrupted and went on; its time was not taken."
    else:
        duration = f"Training took {sum(seconds):.0f} seconds in all."
    page = folder / "index.html"
    with write_whole(page) as unfinished:
        unfinished.write_text(
            PAGE.format(duration=duration, sections="\n".join(sections)),
            encoding="utf-8",
            newline="\n",
        )
    return page
