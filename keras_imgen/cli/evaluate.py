"""`keras-imgen evaluate`: how good a model is on pictures that it has not learned from."""

import math

import keras
import numpy as np

from keras_imgen import VAE, degradations, losses, metrics
from keras_imgen.cli.apply import named
from keras_imgen.cli.command import complain
from keras_imgen.cli.datasets import load_unseen
from keras_imgen.cli.inputs import LeftOut, find, run_config
from keras_imgen.cli.restoring import check_colors
from keras_imgen.data import sources, to_float
from keras_imgen.data.photos import read_picture
from keras_imgen.matching import must_be_told, takes_noise_level

PICTURES, SAMPLES = 1000, 200  # of a VAE


def evaluate(args) -> int:
    """Print a table of what a model restores, or what a VAE's pictures cost."""
    model = named(args.model)
    is_vae = isinstance(model, VAE)
    foreign = ("sigma", "self_ensemble") if is_vae else ("n", "samples")
    if given := [name for name in foreign if getattr(args, name) is not None]:
        option = ("-" if given[0] == "n" else "--") + given[0].replace("_", "-")
        raise ValueError(
            f"{option} is for {'restorers' if is_vae else 'VAEs'}. Received: a "
            f"{type(model).__name__}. Leave it out."
        )
    return _likelihood(model, args) if is_vae else _restored(model, args)


def _likelihood(model, args):
    """Print the bound of a VAE, its parts and its likelihood, in nats per picture.

    What is no likelihood is not called one: the cross-entropy of grey pictures.
    """
    config = run_config(args.model)
    data = load_unseen(args.data, model, config, args.n or PICTURES, args.seed)
    names = config.get("class_names")
    if model.num_classes and names and data.class_names and names != data.class_names:
        raise ValueError(
            f"This VAE knows the classes {_some(names)}. Received: --data {args.data}, whose "
            f"classes are {_some(data.class_names)}. Pass pictures of the same classes."
        )
    pictures, labels = (*data[0], None)[:2]
    if args.samples is not None and not _is_likelihood(model, pictures):
        raise ValueError(f"--samples is for a likelihood. {_no_likelihood(model)} Leave it out.")
    height, width, channels = model.image_shape
    kind = "colour" if channels == 3 else "grey"
    if binarize := config.get("arguments", {}).get("binarize"):
        kind = f"black and white (drawn, as in its {binarize} training)"
    print(
        f"{len(pictures):,} pictures of {args.data!r}, {height} x {width}, in {kind}; "
        f"{_name(model.loss)}"
    )
    given = (pictures,) if labels is None else (pictures, labels)
    figures = model.evaluate(*given, verbose=0, return_dict=True)
    reconstruction, kl = figures["reconstruction_loss"], figures["kl_loss"]
    _line("reconstruction", reconstruction)
    _line("KL divergence", kl)
    if not _is_likelihood(model, pictures):
        _line("loss, their sum", reconstruction + kl, "bounds no likelihood")
        complain(_no_likelihood(model))
        return 0
    _line("bound, their sum", reconstruction + kl, "of the negative log-likelihood, from above")
    samples = args.samples or SAMPLES
    likelihoods = model.log_likelihood(pictures, samples, labels=labels, seed=args.seed)
    nll, count, note = -likelihoods.mean(), len(likelihoods), f"{samples:,} importance samples"
    if count > 1:
        note = f"standard error {likelihoods.std(ddof=1) / math.sqrt(count):.2f}, {note}"
    _line("negative log-likelihood", nll, note)
    if not isinstance(model.loss, losses.Bernoulli):
        bits = metrics.bits_per_dim(-nll, model.image_shape)
        print(f"{'bits per dimension':24}{bits:10.3f}       (of 256 grey levels)")
    return 0


def _is_likelihood(model, pictures):
    """Return whether the loss of a VAE is the likelihood of such pictures."""
    if isinstance(model.loss, losses.Bernoulli):
        return bool(np.all((pictures == 0.0) | (pictures == 1.0)))
    return isinstance(model.loss, losses.Likelihood)


def _no_likelihood(model):
    if isinstance(model.loss, losses.Bernoulli):
        return (
            "A Bernoulli likelihood is one of black and white pictures, and of grey ones a "
            "cross-entropy that only compares models with each other. `keras-imgen train vae "
            "--binarize dynamic` trains a VAE whose likelihood compares with published ones; "
            "config.json beside the model says how it was trained."
        )
    return f"This VAE was compiled with {_name(model.loss)}, which is no likelihood."


def _name(loss):
    return loss.__name__ if hasattr(loss, "__name__") else type(loss).__name__


def _some(names):
    return ", ".join(map(str, names[:10])) + (", ..." if len(names) > 10 else "")


def _line(name, nats, note=""):
    print(f"{name:24}{nats:10.2f} nats{f'  ({note})' if note else ''}", flush=True)


def _restored(model, args):
    """Spoil the pictures of a folder, restore them, and print a table of PSNR and SSIM.

    What cannot be read or is too small is named and left out.
    """
    if not hasattr(model, "restore") or len(model.image_shape) == 4:
        raise ValueError(
            f"{args.model!r} is a {type(model).__name__} that restores no single pictures. Pass a "
            "model trained to denoise or inpaint, or a VAE."
        )
    (found, notes), left_out, told = find([args.data]), LeftOut(), {}
    degradation = model.degradation
    if degradation is None and args.sigma is None:
        raise ValueError(
            "This model has learned from pairs and degrades no pictures. Pass --sigma to try "
            "it on noise, or measure it in Python: model.evaluate(observed, clean)."
        )
    if args.sigma is not None:
        if "mask" in model.appends:
            raise ValueError(
                "This model fills holes. Leave out --sigma: the pictures get holes as in training."
            )
        degradation = degradations.AdditiveNoise(args.sigma / 255.0, seed=args.seed)
        if takes_noise_level(model) and must_be_told(model):
            told["level"] = args.sigma / 255.0
    width = min(max(len(str(name)) for _, name in found), 40)
    width = max(width, len(f"mean of {len(found)}"))
    rows = []
    for note in notes:
        complain(note)
    for file, name in found:
        try:
            pixels = sources.with_channels(read_picture(file), model.image_shape[-1])
            clean = to_float(pixels)[None]
            check_colors(model, clean)
            observed = keras.ops.convert_to_numpy(degradation(clean, training=False))
            restored = model.restore(observed, self_ensemble=bool(args.self_ensemble), **told)
            pair = (observed[..., : clean.shape[-1]], restored)
            row = [float(metrics.psnr(clean, picture, clip=True)[0]) for picture in pair]
            rows.append([*row, float(metrics.ssim(clean, restored)[0])])
        except ValueError as error:
            left_out.add(file, error)
            continue
        if len(rows) == 1:
            print(f"{'picture':{width}}  observed  restored    SSIM")
        print(f"{str(name)[-width:]:{width}}  {_figures(rows[-1])}", flush=True)
    left_out.close()
    if not rows:
        return 2
    print(f"{f'mean of {len(rows)}':{width}}  {_figures(np.mean(rows, axis=0))}")
    return int(left_out.count > 0)


def _figures(row):
    return f"{row[0]:5.2f} dB  {row[1]:5.2f} dB  {row[2]:.4f}"
