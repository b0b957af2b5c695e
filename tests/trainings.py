"""Small trainings of all five families, run in processes of their own that can be killed.

`tests/test_resume.py` kills a few, `tests/benchmarks/kill_trainings.py` many.
"""

import contextlib
import os
import re
import signal
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
from forks import FORKS

EPOCHS = 5


def train(family: str, folder: Path, eagerly: bool = False) -> None:
    """Train a family from the beginning, or go on with what the folder holds, and save it."""
    import keras

    from keras_imgen import callbacks, load_arrays
    from keras_imgen.files import write_whole

    build, shape, shown, more = FAMILIES[family]
    clean = np.random.default_rng(0).random((22, *shape), "float32")
    # Only the first start decides on weights and seeds; later ones must not matter.
    begun = any((folder / "checkpoints").glob("epoch_*.keras"))
    keras.utils.set_random_seed(os.getpid() if begun else 0)
    model = build(run_eagerly=eagerly)
    model.fit(
        load_arrays(clean, batch_size=4),
        validation_data=clean[:5],
        epochs=EPOCHS,
        verbose=0,
        callbacks=[
            *more(),
            shown(folder / "samples", clean),
            callbacks.TrainingGif(folder / "samples"),
            callbacks.Resume(folder),
        ],
    )
    with write_whole(folder / "model.keras") as unfinished:
        model.save(unfinished)


def start(family: str, folder: Path, **options):
    """Start a training in a process of its own."""
    process = FORKS.Process(target=train, args=(family, folder), kwargs=options)
    process.start()
    return process


def wait_until_it_trains(process, folder: Path) -> None:
    """Return as soon as a training that was started has made or touched its checkpoint."""
    before = _newest(folder)
    while process.is_alive() and _newest(folder) == before:
        time.sleep(0.002)


def _newest(folder):
    times = [0]
    for file in (folder / "checkpoints").glob("*.keras"):
        with contextlib.suppress(FileNotFoundError):  # renamed meanwhile
            times.append(file.stat().st_mtime_ns)
    return max(times)


def kill_and_resume(
    family: str, folder: Path, seconds: float, kills: int, rng, writing=None
) -> int:
    """Kill a training at random moments, let it then run to its end, and return how many it were.

    Args:
        family: which one.
        folder: an empty folder.
        seconds: how long it takes undisturbed.
        kills: after how many kills it is left alone.
        rng: `random.Random` that chooses the moments.
        writing: list to which is appended, for each kill, whether a file was being written.
    """
    killed = 0
    while killed < kills:
        process = start(family, folder)
        wait_until_it_trains(process, folder)
        process.join(rng.uniform(0.0, seconds / kills))
        process.kill()
        process.join()
        if process.exitcode == 0:  # it was quicker
            return killed
        assert process.exitcode == -signal.SIGKILL
        killed += 1
        if writing is not None:
            writing.append(any(folder.rglob(".unfinished-*")))
    finish(family, folder)
    return killed


def finish(family: str, folder: Path) -> float:
    """Let a training run to its end, and return the seconds from its first checkpoint on."""
    process = start(family, folder)
    wait_until_it_trains(process, folder)
    begin = time.monotonic()
    process.join()
    assert process.exitcode == 0
    return time.monotonic() - begin


def hold(folder: Path) -> None:
    """Hold the lock of a folder, until killed."""
    from keras_imgen.files import locked

    with locked(folder):
        (folder / "held").touch()
        time.sleep(600)


def run_command(argv: list[str], errors: Path) -> None:
    """Run the command `keras-imgen` as this process; what it says of errors goes to a file."""
    from keras_imgen.cli import main

    with errors.open("w") as file, contextlib.redirect_stderr(file):
        status = main(argv)
    sys.exit(status)


def outcome(folder: Path) -> dict[str, bytes]:
    """Return all that a training leaves."""
    left = {}
    for file in sorted(folder.rglob("*")):
        name = str(file.relative_to(folder))
        if file.suffix == ".keras":
            with zipfile.ZipFile(file) as archive:
                for member in archive.namelist():
                    # The time of day; places in the memory of the process that wrote.
                    data = b"" if member == "metadata.json" else archive.read(member)
                    left[f"{name}/{member}"] = re.sub(rb'"shared_object_id": \d+', b"", data)
        elif file.is_file() and file.name != ".lock":
            left[name] = file.read_bytes()
    return left


def _gan(**options):
    import keras

    from keras_imgen import GAN, networks

    model = GAN(
        networks.dcgan_generator((8, 8, 1), latent_dim=2, filters=2),
        networks.dcgan_discriminator((8, 8, 1), 2, dropout=0.3, batch_norm=False),
        seed=0,
    )
    decay = keras.optimizers.schedules.ExponentialDecay(1e-3, 10, 0.9)
    # Five batches an epoch: the generator's turn, every third, is another one in every epoch.
    variants = {"critic_steps": 3, "penalty": "gradient_penalty"}
    model.compile(keras.optimizers.Adam(decay, beta_1=0.5), loss="hinge", **variants, **options)
    return model


def _vae(**options):
    import keras

    from keras_imgen import VAE, networks

    encoder = networks.vae_encoder((8, 8, 1), latent_dim=2, filters=2)
    model = VAE(encoder, networks.vae_decoder((8, 8, 1), latent_dim=2, filters=2))  # without seed
    model.compile(keras.optimizers.Adam(1e-2), **options)
    return model


def _denoiser(**options):
    from keras_imgen import Restorer, degradations, networks

    network = networks.dncnn((None, None, 1), depth=3, filters=2)
    model = Restorer(network, degradations.AdditiveNoise((0.05, 0.2)))  # without seed
    model.compile(**options)
    return model


def _inpainter(**options):
    import keras

    from keras_imgen import Restorer, degradations, networks

    model = Restorer(
        networks.unet((None, None, 1), extra_channels=1, depth=1, filters=2),
        degradations.MissingBlocks(0.3, 3, seed=1),
        keep_known=True,
        seed=0,
    )
    model.compile(keras.optimizers.SGD(0.01, momentum=0.9), loss="mae", **options)
    return model


def _sequence(**options):
    import keras

    from keras_imgen import Restorer, degradations, networks

    degradation = degradations.Compose(
        [degradations.AdditiveNoise(0.1, seed=1), degradations.MissingFrames(1, seed=2)]
    )
    network = networks.conv_lstm((8, 8, 1), extra_channels=1, filters=2)
    model = Restorer(network, degradation, seed=0)
    model.compile(keras.optimizers.AdamW(1e-3, clipnorm=1.0), **options)
    return model


def _grid(folder, clean):
    from keras_imgen import callbacks

    return callbacks.SampleGrid(folder, n=4)


def _panels(folder, clean):
    from keras_imgen import callbacks

    return callbacks.BeforeAfter(clean, folder, n=1)


def _nothing_more():
    return []


def _stopping():
    """Stops before the last epoch, and takes the best weights back."""
    import keras

    return [
        keras.callbacks.EarlyStopping(
            "val_loss", min_delta=1.0, patience=3, restore_best_weights=True
        )
    ]


def _plateau():
    import keras

    return [keras.callbacks.ReduceLROnPlateau("loss", min_delta=1.0, patience=1, factor=0.5)]


FAMILIES = {  # how the model is built, shape of a picture, what shows it, more callbacks
    "gan": (_gan, (8, 8, 1), _grid, _nothing_more),
    "vae": (_vae, (8, 8, 1), _grid, _plateau),
    "denoise": (_denoiser, (8, 8, 1), _panels, _stopping),
    "inpaint": (_inpainter, (8, 8, 1), _panels, _nothing_more),
    "sequence": (_sequence, (3, 8, 8, 1), _panels, _nothing_more),
}
