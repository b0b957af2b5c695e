"""Draws the pictures of README and guide from the models of `keras-imgen demo`.

Run `keras-imgen demo` first, then `python docs/make_figures.py` in the repository's root. With
`--restored` it draws what the restorers that ship with the package do, two figures, and needs no
demo.
"""

import argparse
from pathlib import Path

import keras
import numpy as np
from matplotlib.figure import Figure

from keras_imgen import (
    degradations,
    load,
    load_moving_digits,
    load_moving_photos,
    load_pretrained,
    plotting,
)
from keras_imgen.data import to_float
from keras_imgen.metrics import psnr

FIGURES = Path(__file__).parent / "figures"


def main():
    """Draw all figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("demo", nargs="?", default="runs/demo", help="folder of the demo")
    parser.add_argument("--restored", action="store_true", help="draw these figures alone")
    args = parser.parse_args()
    draw_restored().savefig(FIGURES / "restored.png", dpi=100)
    draw_film().savefig(FIGURES / "film.png", dpi=100)
    if args.restored:
        return
    folder = Path(args.demo)
    names = ("gan", "vae", "denoise", "inpaint", "sequence")
    models = {name: keras.saving.load_model(folder / name / "model.keras") for name in names}
    FIGURES.mkdir(exist_ok=True)
    draw_demo(models).savefig(FIGURES / "demo.png", dpi=100)
    draw_data_flow(models).savefig(FIGURES / "data_flow.png", dpi=100)


def degraded(model, clean):
    """Return observed and restored pictures of a model, without extra channels."""
    observed = keras.ops.convert_to_numpy(model.degradation(clean, training=False))
    return observed[..., : clean.shape[-1]], model.restore(observed)


def draw_demo(models):
    """Draw all five families in one picture."""
    camera, chelsea, _ = (to_float(p) for p in load("photos", "test").pictures)
    figure = Figure(figsize=(10, 7.2), layout="constrained")
    top, bottom = figure.subfigures(2, 1, height_ratios=(2.15, 1))
    generated, photos = top.subfigures(1, 2, width_ratios=(1, 1.45))
    for ax, name, title in zip(
        generated.subplots(2, 1), ("gan", "vae"), ("GAN samples", "VAE samples"), strict=True
    ):
        show(ax, plotting.image_grid(models[name].sample(32, seed=2), columns=8, padding=1), title)
    panels = photos.subplots(2, 2)
    for axes, name, clean in zip(
        panels, ("denoise", "inpaint"), (camera[None], chelsea[None]), strict=True
    ):
        observed, restored = degraded(models[name], clean)
        for ax, word, picture in zip(
            axes,
            ("noisy" if name == "denoise" else "holes", "restored"),
            (observed, restored),
            strict=True,
        ):
            show(ax, picture[0], f"{word} · {decibels(clean, picture)}")
    clean = load_moving_digits("test").take(1)
    observed, restored = degraded(models["sequence"], clean)
    for ax, word, frames in zip(
        bottom.subplots(3, 1),
        ("observed", "restored", "clean"),
        (observed, restored, clean),
        strict=True,
    ):
        text = word if word == "clean" else f"{word} · {decibels(clean, frames)}"
        show(ax, plotting.image_grid(frames[0], columns=10, padding=1), None)
        ax.text(-8, 24, text, ha="right", va="center", fontsize=10)
    return figure


def draw_data_flow(models):
    """Draw how a picture flows through a restorer and through a GAN."""
    clean = load("photos", "test").take(2)[1:2]
    observed, restored = degraded(models["inpaint"], clean)
    fake = models["gan"].sample(1, seed=2)
    latents = np.random.default_rng(0).normal(size=(16, 4, 1)) / 6 + 0.5
    figure = Figure(figsize=(10, 5.2))
    rows = (
        (
            ("clean", clean[0]),
            "degradation",
            ("observed", observed[0]),
            "network",
            ("restored", restored[0]),
            "compared with\nthe clean one:\nloss, PSNR, SSIM",
        ),
        (
            ("latents", latents),
            "generator\nor decoder",
            ("picture", fake[0]),
            "discriminator\nor likelihood",
            None,
            "how real is it?\nloss",
        ),
    )
    for row, steps in enumerate(rows):
        for column, step in enumerate(steps):
            center = (0.08 + 0.16 * column, 0.74 - 0.48 * row)
            if isinstance(step, tuple):
                ax = figure.add_axes((center[0] - 0.075, center[1] - 0.145, 0.15, 0.29))
                show(ax, np.clip(step[1], 0, 1), step[0])
            elif step is not None:
                last = column == len(steps) - 1
                if not last:
                    figure.text(*center, f"{step}\n⟶", ha="center", va="center", fontsize=12)
                else:
                    x = center[0] if row == 0 else center[0] - 0.16
                    figure.text(x, center[1], f"⟶ {step}", ha="center", va="center", fontsize=11)
    return figure


def draw_restored():
    """Draw a noisy photograph and a damaged one, before and after."""
    camera = to_float(load("photos", "test", channels=1).pictures[0])[None]
    coffee = to_float(load("photos", "test", channels=3).pictures[-1])[None]
    rng = np.random.default_rng(0)
    noisy = coffee + 30 / 255 * rng.normal(size=coffee.shape).astype("float32")
    rows, columns = np.indices(camera.shape[1:3])
    strokes = degradations.FreeFormHoles(0.05, strokes=7, seed=5)(camera)
    known = keras.ops.convert_to_numpy(strokes)[..., 1:]
    for fold in (rows - 141 - 0.03 * columns, columns - 97 + 0.05 * rows):
        known = known * (np.abs(fold) > 2.0)[None, ..., None]
    grain = 10 / 255 * rng.normal(size=camera.shape)
    damaged = np.clip(known * (camera + grain) + 0.97 * (1 - known), 0, 1).astype("float32")
    filled = load_pretrained("inpainter").restore(np.repeat(damaged, 3, axis=-1), known=known)
    panels = (
        ("noisy, sigma 30", coffee, noisy),
        ("denoiser-color", coffee, load_pretrained("denoiser-color").restore(noisy)),
        ("damaged", camera, damaged),
        (
            "repaired",
            camera,
            load_pretrained("denoiser-gray").restore(filled.mean(-1, keepdims=True)),
        ),
    )
    figure = Figure(figsize=(12, 2.65), layout="constrained")
    shapes = [picture.shape[2] / picture.shape[1] for *_, picture in panels]
    axes = figure.subplots(1, 4, width_ratios=shapes)
    for ax, (word, clean, picture) in zip(axes, panels, strict=True):
        show(ax, np.clip(picture[0], 0, 1), f"{word} · {decibels(clean, picture)}")
    return figure


def draw_film():
    """Draw a film with noise of 25 grey levels and two of six frames lost, before and after."""
    options = {"num_sequences": 1, "num_frames": 6, "size": (96, 128), "seed": 2}
    clean = load_moving_photos("test", **options).take(1)
    damage = [degradations.AdditiveNoise(25 / 255, seed=0), degradations.MissingFrames(2, seed=0)]
    observed = keras.ops.convert_to_numpy(degradations.Compose(damage)(clean))
    return plotting.plot_sequence(observed, load_pretrained("film-gray").restore(observed), clean)


def show(ax, picture, title):
    """Draw one picture as it is, without axes."""
    grey = picture.shape[-1] == 1
    ax.imshow(picture[..., 0] if grey else picture, cmap="gray", vmin=0, vmax=1)
    ax.set_axis_off()
    if title:
        ax.set_title(title, fontsize=10)


def decibels(clean, picture):
    """Return the mean PSNR as text."""
    return f"{float(np.mean(psnr(clean, np.clip(picture, 0, 1)))):.1f} dB"


if __name__ == "__main__":
    main()
