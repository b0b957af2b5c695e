"""`keras-imgen sample` and `restore`: what a trained model is used for."""

import os
import sys
from pathlib import Path

import numpy as np

# Keras finds the classes of a file only after their import, and the command sees a lazy package.
from keras_imgen import (  # noqa: F401
    GAN,
    VAE,
    Diffusion,
    Restorer,
    degradations,
    load_model,
    load_pretrained,
    networks,
    plotting,
)
from keras_imgen.checks import seed_or_new
from keras_imgen.cli import films, maps, undo
from keras_imgen.cli.command import complain
from keras_imgen.cli.inputs import (
    LeftOut,
    existing,
    find,
    is_film,
    run_config,
    split_off_collisions,
)
from keras_imgen.cli.restoring import restored
from keras_imgen.data.photos import read_photo, write_photo
from keras_imgen.files import write_whole
from keras_imgen.matching import must_be_told, takes_noise_level
from keras_imgen.pretrained import UNTRAINED


def sample(args) -> None:
    """Draw new pictures and write them as one PNG file."""
    from PIL import Image

    model = load_model(args.model)
    if not hasattr(model, "sample"):
        raise ValueError(
            f"{args.model!r} is a {type(model).__name__}, which draws no new pictures. "
            "Use `keras-imgen restore`, or pass a GAN, VAE or diffusion model."
        )
    pixels = args.n * np.prod(model.image_shape[:2], dtype=float) * args.scale**2
    if pixels > Image.MAX_IMAGE_PIXELS:
        raise ValueError(
            f"{args.n} pictures at --scale {args.scale} would make one of {pixels / 1e6:.0f} "
            f"million pixels, and at most {Image.MAX_IMAGE_PIXELS / 1e6:.0f} million are written. "
            "Pass a smaller -n or --scale."
        )
    how = {name: getattr(args, name) for name in ("steps", "guidance")}
    how = {name: value for name, value in how.items() if value is not None}
    if how and not isinstance(model, Diffusion):
        raise ValueError(
            f"--{next(iter(how))} is for diffusion models. Received: a {type(model).__name__}. "
            "Leave it out."
        )
    label = _label(args, model)
    seed = seed_or_new(args.seed)
    columns = model.num_classes if label is None and model.num_classes else None
    pictures = model.sample(args.n, labels=label, seed=seed, **how)
    plotting.save_grid(args.out, pictures, columns, scale=args.scale)
    print(f"{args.n} pictures in {args.out} (seed {seed}).")


def _label(args, model):
    """Return the class that is asked for by its number, or by the name that its training knew."""
    if args.label is None:
        return None
    if not model.num_classes:
        raise ValueError(
            f"This model was trained without classes. Received: --label {args.label}. Leave it "
            "out, or train one with --labels."
        )
    if args.label.isdecimal() and len(args.label) < 10:
        return int(args.label)
    names = run_config(args.model).get("class_names")
    if names is None or len(names) != model.num_classes:
        raise ValueError(
            f"This model's classes have no names here. Received: --label {args.label}. Pass a "
            "number, the first class is 0."
        )
    if args.label not in names:
        raise ValueError(
            f"--label takes a number or one of {', '.join(names[:20])}"
            f"{', ...' if len(names) > 20 else ''}. Received: --label {args.label}."
        )
    return names.index(args.label)


def restore(args) -> int:
    """Restore every picture and film given; a model of sequences takes pictures as frames.

    What cannot be read, and what has a result already, is named and left out, so that one bad
    picture does not hold up a thousand, and the same command goes on where it was cut off.
    """
    model = named(args.model)
    parts = undo.read(args.undo) if args.undo else []
    films.check(model, args)
    if films.takes(model):
        if parts:
            undo.check(model, parts, None, args.degrade)
        if args.map is not None:
            maps.check(model, args)
        options = _options(model, args)
        mask = None if args.mask is None else _read_mask(args.mask)
        return films.restore(model, args, mask, options)
    (found, notes), left_out = find(args.pictures, args.out, args.map, films=True), LeftOut()
    kept, refused = split_off_collisions(found, Path(args.out))
    there = [target for _, target in kept if os.path.lexists(target)]
    if len(there) == len(kept):
        raise existing(*there)
    options = {"self_ensemble": args.self_ensemble, "tile": args.tile}
    options = options if parts else _options(model, args)
    mask = None if args.mask is None else _read_mask(args.mask)
    if parts:
        undo.check(model, parts, mask, args.degrade)
    if args.map is not None:
        maps.check(model, args)
        options["return_std"] = True
    filler = load_pretrained("inpainter") if parts and mask is not None else None
    bars = {}

    def answer(picture, **more):
        return restored(model, picture, parts, mask, filler, options | more, args, bars)

    for note in notes:
        complain(note)
    for file, reason in refused:
        left_out.add(file, reason)
    if there:
        complain(existing(*there))
        left_out.count += len(there)
    for file, target in kept:
        if target in there:
            continue
        try:
            if is_film(file):
                said = films.restore_frames(file, target, answer, args)
            else:
                said = _restore_photo(file, target, answer, args)
        except (FileExistsError, ImportError, ValueError) as error:
            left_out.add(file, error)
            continue
        print(f"{file} -> {target}{said}", flush=True)
    left_out.close()
    if not left_out.count:
        return 0
    return 1 if left_out.count < len(found) else 2


def _restore_photo(file, target, answer, args):
    """Restore one picture, write it and perhaps its map, and return a word on them."""
    chart_file = maps.file(args.map, target, args.out)
    photo = read_photo(file)
    if photo.frames > 1:
        complain(
            f"{str(file)!r} is an animation of {photo.frames} pictures. The first one is restored."
        )
    picture, chart, said = answer(photo.picture)
    photo = undo.as_large(photo, picture)
    if chart is not None:
        plotting.save_grid(chart_file, chart[None], padding=0)
        said += f" (map: {chart_file}, {maps.LEGEND})"
    with write_whole(target) as unfinished:
        write_photo(unfinished, photo._replace(picture=picture))
    return said


def named(name: str):
    """Return a model that ships with the package, by its name, or one from a file."""
    return load_pretrained(name) if name in UNTRAINED else load_model(name)


def _options(model, args):
    """Return what `restore` is given beside the pictures, or raise if it does not fit the model."""
    if not hasattr(model, "restore"):
        raise ValueError(
            f"{args.model!r} is a {type(model).__name__}, which restores nothing. "
            "Use `keras-imgen sample`, or pass a model trained to denoise, inpaint or restore."
        )
    appends = model.appends
    if args.degrade and model.learns_pairs:
        raise ValueError(
            "This model has learned from pairs and degrades no pictures. Leave out --degrade."
        )
    if args.mask is not None and appends != ("mask",):
        raise ValueError("This model takes no mask. Leave out --mask.")
    # Of a film nothing need be lost.
    told = args.mask is not None or args.degrade or films.takes_lost(model)
    if "mask" in appends and not told:
        raise ValueError(
            "This model fills holes and must know where they are. Pass --mask PICTURE, white where "
            "pixels are missing, or --degrade to try it on holes of its own."
        )
    options = {
        "self_ensemble": args.self_ensemble,
        "tile": args.tile,
        "progress": sys.stdout.isatty(),
    }
    of_noise = takes_noise_level(model)
    if args.sigma == "auto":
        # Of pictures it is estimated.
        if of_noise and must_be_told(model) and films.takes(model) and not args.degrade:
            raise ValueError("This model must be told how noisy a film is. Pass --sigma.")
        return options
    if not of_noise:
        raise ValueError(
            "This model is not conditioned on a noise level. Leave out --sigma, or use "
            "denoiser-gray or denoiser-color."
        )
    if args.degrade:
        raise ValueError("--degrade draws the noise itself. Leave out --sigma.")
    level, (weakest, strongest) = args.sigma / 255.0, model.degradation.range
    if not weakest <= level <= strongest:
        nearest = 255 * min(max(weakest, level), strongest)
        raise ValueError(
            f"--sigma must lie between {255 * weakest:g} and {255 * strongest:g}, the noise that "
            f"this model has learned from. Received: --sigma {args.sigma:g}. Pass {nearest:g}."
        )
    if level == 0.0 and model.degradation.share_given < 1.0:
        raise ValueError(
            "--sigma 0 would give this model no level. Leave it out, and the model estimates it."
        )
    return {**options, "level": level}


def _read_mask(path):
    """Return 1 where a picture is white, else 0, shape `(height, width, 1)`, or raise."""
    try:
        photo = read_photo(path)
    except ValueError as error:
        raise ValueError(f"The mask {error}") from None
    white = photo.picture.mean(axis=-1, keepdims=True)
    if photo.alpha is not None:
        white = white * photo.alpha
    advice = "Paint what is missing white, and everything else black."
    if np.mean((white > 0.1) & (white < 0.9)) > 0.1:  # edges may be soft
        raise ValueError(f"The mask {str(path)!r} is not black and white. {advice}")
    mask = (white > 0.5).astype("float32")
    if mask.min() == mask.max():
        share = "nothing" if mask.max() == 0.0 else "the whole picture"
        raise ValueError(f"The mask {str(path)!r} hides {share}. {advice}")
    return mask
