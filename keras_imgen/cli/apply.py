"""`keras-imgen sample` and `restore`: what a trained model is used for."""

import secrets
import zipfile
from pathlib import Path

import keras
import numpy as np

# Keras finds the classes of a file only after their import, and the command sees a lazy package.
from keras_imgen import GAN, VAE, Restorer, networks, plotting  # noqa: F401
from keras_imgen.data import sources, to_float, to_uint8


def sample(args) -> None:
    """Draw new pictures and write them as one PNG file."""
    model, path = _load(args.model), Path(args.out)
    if not hasattr(model, "sample"):
        raise ValueError(
            f"{args.model!r} is a {type(model).__name__}, which draws no new pictures. "
            "Use `keras-imgen restore`, or pass a GAN or VAE."
        )
    _refuse_existing(path)
    seed = secrets.randbits(24) if args.seed is None else args.seed
    plotting.save_grid(path, model.sample(args.n, seed=seed), scale=args.scale)
    print(f"{args.n} pictures in {path} (seed {seed}).")


def restore(args) -> None:
    """Restore every picture given; a model of sequences takes them as the frames of one."""
    model, folder = _load(args.model), Path(args.out)
    if not hasattr(model, "restore"):
        raise ValueError(
            f"{args.model!r} is a {type(model).__name__}, which restores nothing. "
            "Use `keras-imgen sample`, or pass a model trained to denoise, inpaint or restore."
        )
    files = _files(args.pictures)
    targets = [folder / f"{file.stem}.png" for file in files]
    if len(set(targets)) < len(targets):
        raise ValueError(
            "Two of the pictures have the same name, so one would overwrite the other. "
            "Restore them in two runs with different --out."
        )
    for target in targets:
        _refuse_existing(target)
    channels = model.picture_shape[-1]
    mask = None if args.mask is None else _read_mask(args.mask)
    if len(model.picture_shape) == 4:
        frames = _stack_frames([_read(file) for file in files], channels)
        restored = iter(_restore(model, frames[None], mask, args.degrade)[0])
    else:
        restored = (
            _restore_any(model, _read(file), channels, mask, args.degrade) for file in files
        )
    for file, target in zip(files, targets, strict=True):
        image = sources.as_image(to_uint8(next(restored)))
        folder.mkdir(parents=True, exist_ok=True)
        image.save(target)
        print(f"{file} -> {target}")


def _load(path):
    """Load a model, or say in one sentence why that is impossible."""
    if not Path(path).is_file():
        raise FileNotFoundError(f"There is no model file {path!r}. Train one: keras-imgen train.")
    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path!r} is no whole .keras file: it is damaged or of another kind.")
    return keras.saving.load_model(path)


def _read(file):
    """Read one picture; Pillow's own errors may name none."""
    try:
        return to_float(sources.read_picture(file))
    except (OSError, SyntaxError) as error:
        raise ValueError(f"{str(file)!r} cannot be read as a picture: {error}") from error


def _files(paths):
    files = []
    for path in map(Path, paths):
        if path.is_dir():
            found = sources.list_pictures(path)
            if not found:
                raise FileNotFoundError(f"There is no PNG or JPEG file in {str(path)!r}.")
            files += found
        elif path.is_file():
            files.append(path)
        else:
            raise FileNotFoundError(f"There is no picture {str(path)!r}.")
    return files


def _refuse_existing(path):
    if path.exists():
        raise FileExistsError(f"{str(path)!r} exists and is not overwritten. Pass another --out.")


def _restore_any(model, picture, channels, mask, degrade):
    """Restore one picture; a grey model restores the channels of a coloured one one by one."""
    if channels == 1 and picture.shape[-1] == 3:
        planes = np.moveaxis(picture, -1, 0)[..., None]
        restored = [_restore(model, plane[None], mask, degrade)[0] for plane in planes]
        return np.concatenate(restored, axis=-1)
    if channels == 3 and picture.shape[-1] == 1:
        picture = np.repeat(picture, 3, axis=-1)
    return _restore(model, picture[None], mask, degrade)[0]


def _restore(model, pictures, mask, degrade):
    """Restore a batch, after spoiling it or marking its holes if need be."""
    extra = model.degradation.extra_channels
    if degrade:
        pictures = keras.ops.convert_to_numpy(model.degradation(pictures, training=False))
    elif mask is not None and extra == 1:
        if mask.shape[:2] != pictures.shape[-3:-1]:
            raise ValueError(
                "The mask must be as large as the picture, "
                f"{pictures.shape[-3]} x {pictures.shape[-2]} pixels. "
                f"Received: {mask.shape[0]} x {mask.shape[1]}."
            )
        known = np.broadcast_to(1.0 - mask, (*pictures.shape[:-1], 1))
        pictures = np.concatenate([pictures * known, known], axis=-1).astype("float32")
    elif extra:
        raise ValueError(
            "This model fills holes and must know where they are. Pass --mask PICTURE, white where "
            "pixels are missing, or --degrade to try it on holes of its own."
        )
    elif mask is not None:
        raise ValueError("This model takes no mask. Leave out --mask.")
    return model.restore(pictures)


def _read_mask(path):
    """Return 1 where a picture is white, else 0, shape `(height, width, 1)`."""
    return (sources.with_channels(to_uint8(_read(path)), 1) > 127).astype("float32")


def _stack_frames(pictures, channels):
    frames = [to_float(sources.with_channels(to_uint8(picture), channels)) for picture in pictures]
    if len({frame.shape for frame in frames}) > 1:
        raise ValueError("The frames of a sequence must have equal sizes.")
    return np.stack(frames)
