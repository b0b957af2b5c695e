"""The demo's page: figures and pictures of all families, to be read without a network."""

import html
from dataclasses import dataclass
from pathlib import Path

from keras_imgen.cli.recipes import RECIPES
from keras_imgen.files import write_whole


@dataclass(frozen=True)
class Shown:
    """One picture or film on the page.

    Attributes:
        file: its name in the family's folder.
        alt: what there is to see, for those who cannot see it.
        caption: what it is.
        pixels: whether it is made of large pixels, which a browser must not smooth.
    """

    file: str
    alt: str
    caption: str
    pixels: bool = False


def _drawn(family):
    """Return what is shown of a family that draws digits."""
    return (
        Shown(
            "result.png",
            f"A hundred handwritten digits, each drawn by the {family} from random numbers",
            "A hundred samples of the finished model, none of them chosen.",
            pixels=True,
        ),
        Shown(
            "samples.gif",
            f"A film of 64 samples of the {family} that take shape out of grey",
            "A film of the training: the same 64 random vectors after each part of it.",
            pixels=True,
        ),
    )


SHOWN = {
    "gan": _drawn("GAN"),
    "vae": _drawn("VAE"),
    "denoise": (
        Shown("observed.png", "Three photographs, grainy with noise", "With noise:"),
        Shown("restored.png", "The same three photographs, restored", "What the network returns:"),
        Shown("clean.png", "The same three photographs without noise", "Before the noise:"),
    ),
    "inpaint": (
        Shown("observed.png", "Three photographs with black square holes", "With holes:"),
        Shown("restored.png", "The same photographs, filled in", "What the network fills in:"),
        Shown("clean.png", "The same photographs without holes", "What was there:"),
    ),
    "sequence": (
        Shown(
            "observed.png",
            "Ten noisy frames of digits that move, three of the frames black",
            "One sequence with noise, its lost frames black:",
            pixels=True,
        ),
        Shown(
            "restored.png",
            "The same ten frames, restored",
            "What the network returns:",
            pixels=True,
        ),
        Shown("clean.png", "The same ten frames, complete and clean", "What it was:", pixels=True),
        Shown(
            "result.gif",
            "A film of three sequences of moving digits, in three rows",
            "Three sequences as films: observed above, restored in the middle, clean below.",
            pixels=True,
        ),
    ),
}

TOO_SHORT = 0.1  # share of the steps after which a family is worth a look

CLASSES = {"result.png": " grid", "result.gif": " film", "samples.gif": " film"}

PAGE = """<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>keras_imgen demo</title>
<style>
:root {{ color-scheme: light dark; --text: #222; --soft: #555; --line: #ccc; --page: #fff }}
@media (prefers-color-scheme: dark) {{
  :root {{ --text: #e4e4e4; --soft: #aaa; --line: #444; --page: #16181c }}
}}
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 62rem; margin: 0 auto; padding: 1rem;
  color: var(--text); background: var(--page) }}
figure {{ margin: .8rem 0 }}
img {{ display: block; width: 100%; height: auto }}
img.pixels {{ image-rendering: pixelated }}
img.grid {{ max-width: 36rem }}
img.film {{ width: auto; max-width: 100% }}
td, th {{ padding: .2rem 1rem .2rem 0; text-align: left; vertical-align: top }}
td + td, th + th {{ text-align: right; font-variant-numeric: tabular-nums }}
section {{ border-top: 1px solid var(--line); margin-top: 1.5rem }}
p, figcaption {{ color: var(--soft) }}
code {{ overflow-wrap: anywhere }}
</style>
<h1>Five models, trained on this machine</h1>
<p>Every figure and picture below was measured and drawn on held-out pictures when this page was
made. {duration}</p>
{sections}
<section>
<h2>Where to go from here</h2>
<ul>
<li>More time, better pictures: <code>keras-imgen demo --minutes 20 --out runs/longer</code></li>
<li>Draw more digits: <code>keras-imgen sample {folder}/gan/model.keras</code></li>
<li>Restore a photograph of yours with a network that learned for longer:
<code>keras-imgen restore denoiser-color photo.jpg</code></li>
<li>Learn how all of this works: <code>keras-imgen tutorials my-class</code> copies the notebooks
into a folder.</li>
<li>Train on pictures of your own: <code>keras-imgen train denoise --data my/photographs --size 64
--crops 32</code>, or ten lines of Python, which README.md shows.</li>
</ul>
</section>
</html>
"""

SECTION = """<section>
<h2>{title}</h2>
<p>{text} {steps}</p>
<table><tr><th>measured on held-out pictures</th><th>before</th><th>after</th></tr>
{rows}</table>
{pictures}</section>"""

FIGURE = """<figure>
<figcaption>{caption}</figcaption>
<img class="{classes}" src="{family}/{file}" alt="{alt}">
</figure>
"""


def write_page(folder: Path, figures: dict) -> Path:
    """Write the page of what each family left in the folder.

    Args:
        folder: the demo's folder.
        figures: of each family, `{"seconds": ..., "steps": ..., "measured": ...}`, and `worth`: how
            many steps it takes until it is worth a look.

    Returns:
        The page's path.
    """
    seconds = [part["seconds"] for part in figures.values()]
    if None in seconds:
        duration = "Training was interrupted and went on; its time was not taken."
    else:
        duration = f"Training took {sum(seconds):.0f} seconds in all."
    page = folder / "index.html"
    with write_whole(page) as unfinished:
        unfinished.write_text(
            PAGE.format(
                duration=duration,
                folder=html.escape(str(folder)),
                sections="\n".join(_section(folder, *part) for part in figures.items()),
            ),
            encoding="utf-8",
            newline="\n",
        )
    return page


def too_short(figures: dict) -> bool:
    """Return whether a family has trained for so few steps that there is nothing to see.

    Args:
        figures: as for `write_page`; `worth` is missing in those of earlier versions.
    """
    return figures["steps"] < TOO_SHORT * figures.get("worth", 0)


def _told_steps(figures):
    steps = f"It learned in {figures['steps']:,} step{'s' * (figures['steps'] != 1)}."
    if not too_short(figures):
        return steps
    return (
        f"{steps} <strong>That is far too short to show what it can do: it takes about "
        f"{figures['worth']:,}. Give the demo more minutes.</strong>"
    )


def _section(folder, family, figures):
    recipe = RECIPES[family]
    rows = "".join(
        f"<tr><td>{html.escape(name)}</td><td>{before:.2f}</td><td>{after:.2f}</td></tr>\n"
        for name, (before, after) in figures["measured"].items()
    )
    pictures = "".join(
        FIGURE.format(
            family=family,
            file=shown.file,
            alt=html.escape(shown.alt),
            caption=html.escape(shown.caption),
            classes="pixels" * shown.pixels + CLASSES.get(shown.file, ""),
        )
        for shown in SHOWN[family]
    )
    return SECTION.format(
        title=html.escape(recipe.title),
        text=html.escape(recipe.text),
        steps=_told_steps(figures),
        rows=rows,
        pictures=pictures,
    )
