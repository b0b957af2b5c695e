"""Two processes on JAX train what one trains; what would go wrong ends in an error, not a hang."""

import contextlib
import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from children import environment_of, free_port

pytestmark = pytest.mark.slow  # each process imports JAX and compiles

SECONDS = 400

PROGRAM = """
import json, os, pathlib, sys
rank, count, port, what = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
import keras
if count > 1:
    if what == "die":  # Keras waits for 100 s
        import jax
        keras.utils.set_random_seed(0)
        jax.distributed.initialize(f"127.0.0.1:{port}", count, rank, heartbeat_timeout_seconds=20)
    else:
        keras.distribution.initialize(f"127.0.0.1:{port}", count, rank)
    if what != "refused":
        keras.distribution.set_distribution(keras.distribution.DataParallel())
import numpy as np
from keras_imgen import GAN, VAE, Diffusion, Restorer
from keras_imgen import callbacks, degradations, load_arrays, networks

SHAPE = (8, 8, 1)
SGD = keras.optimizers.SGD
pictures = np.random.default_rng(0).random((33, *SHAPE), "float32")

def vae():
    model = VAE(networks.vae_encoder(SHAPE, 2, 2), networks.vae_decoder(SHAPE, 2, 2), seed=0)
    model.compile(SGD(1e-4))
    return model

def gan():
    discriminator = networks.dcgan_discriminator(SHAPE, 2)  # with batch normalisation
    model = GAN(networks.dcgan_generator(SHAPE, 2, 2), discriminator, seed=0)
    model.compile(SGD(1e-3), SGD(1e-3))
    return model

def diffusion():
    model = Diffusion(networks.diffusion_unet(SHAPE, (2,)), seed=0)
    model.compile(SGD(1e-4))
    return model

def restorer():
    noise = degradations.AdditiveNoise(0.1, seed=0)
    model = Restorer(networks.dncnn(depth=3, filters=2), noise, seed=0)
    model.compile(SGD(1e-3))
    return model

def report(**more):
    path = pathlib.Path(f"{what}_{rank}_of_{count}.json")
    path.write_text(json.dumps(more))

def weights(model):
    return [keras.ops.convert_to_numpy(w).tolist() for w in model.weights]

if what == "devices":
    keras.distribution.set_distribution(keras.distribution.DataParallel())
    assert len(keras.distribution.list_devices()) == 2
if what in ("train", "devices"):
    found = {}
    for build in (vae, gan, diffusion, restorer):
        keras.utils.set_random_seed(0)
        model = build()
        options = {}  # what takes longest is to compile
        if build is restorer:
            shown = callbacks.BeforeAfter(pictures[:2], f"shown {what} {count}")
            options = {"validation_data": pictures[:16], "validation_batch_size": 8}
            options["callbacks"] = [shown]
        elif build is gan:
            shown = callbacks.SampleGrid(f"drawn {what} {count}", n=4, scale=1)
            options = {"callbacks": [shown]}
        history = model.fit(pictures, batch_size=8, epochs=2, verbose=0, **options).history
        figures = {name: values[-1] for name, values in history.items()}
        made = model.sample(3, seed=0) if hasattr(model, "sample") else model.restore(pictures[:3])
        found[build.__name__] = {
            "figures": figures, "weights": weights(model), "made": np.asarray(made).tolist()}
    try:
        import tensorflow as tf
        stream = tf.data.Dataset.from_tensor_slices(pictures[:32]).batch(8)
        found["stream"] = model.fit(stream, verbose=0).history["loss"]
    except ImportError:
        pass
    try:
        import grain
        stream = grain.MapDataset.source(pictures[:32]).shuffle(seed=1).batch(8)
        found["grain"] = model.fit(stream, verbose=0).history["loss"]
    except ImportError:
        pass
    report(**found)
elif what == "resume":
    found = []
    for name, ends in (("cut", (1, 3)), ("whole", (3,))):
        for end in ends:
            keras.utils.set_random_seed(0)
            model = restorer()
            data = load_arrays(pictures, batch_size=8, seed=5)
            resume = callbacks.Resume(f"run {name} {count}")
            model.fit(data, epochs=end, callbacks=[resume], verbose=0)
        found.append(weights(model))
    report(same=found[0] == found[1], weights=found[0])
elif what == "refused":
    def sigma(model):
        model.degradation = degradations.AdditiveNoise(0.1 + 0.1 * rank, seed=0)
    others = {
        "no distribution": lambda: restorer().fit(pictures, batch_size=8),
        "number": lambda: restorer().fit(pictures[: 32 - 8 * rank], batch_size=8, verbose=0),
        "pictures": lambda: restorer().fit(np.abs(rank - pictures), batch_size=8, verbose=0),
        "order": lambda: restorer().fit(load_arrays(pictures, batch_size=8, seed=rank), verbose=0),
        "degradation": lambda: (model := restorer(), sigma(model), model.fit(pictures, verbose=0)),
    }
    said = {}
    for name, case in others.items():
        try:
            case()
        except ValueError as error:
            said[name] = str(error)
        keras.distribution.set_distribution(keras.distribution.DataParallel())
    report(said=said)
elif what == "die":
    class Tell(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            pathlib.Path(f"alive {rank}").write_text(str(epoch))
    restorer().fit(pictures, batch_size=8, epochs=10**6, callbacks=[Tell()], verbose=0)
"""


@contextlib.contextmanager
def processes(folder, what, count):
    """Start processes that do one thing together; kill what is left of them in the end."""
    environment = environment_of("jax")
    if what == "devices":
        environment["XLA_FLAGS"] = "--xla_force_host_platform_device_count=2"
    port, started = str(free_port()), []
    try:
        for rank in range(count):
            with open(folder / f"{what}_{rank}.err", "w") as errors:
                program = [sys.executable, "-c", PROGRAM, str(rank), str(count), port, what]
                options = {"cwd": folder, "env": environment, "stderr": errors}
                started.append(subprocess.Popen(program, **options))
        yield started
    finally:
        for process in started:
            process.kill()
            process.wait()


def reports(folder, what, count):
    with processes(folder, what, count) as started:
        for rank, process in enumerate(started):
            code = process.wait(SECONDS)
            assert code == 0, (folder / f"{what}_{rank}.err").read_text()[-3000:]
    files = [folder / f"{what}_{rank}_of_{count}.json" for rank in range(count)]
    return [json.loads(file.read_text()) for file in files]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    pytest.importorskip("jax")
    return tmp_path_factory.mktemp("hosts")


@pytest.fixture(scope="module")
def trained(folder):
    """Return what one process reports, and what two do."""
    return reports(folder, "train", 1)[0], reports(folder, "train", 2)


@pytest.mark.parametrize("family", ["vae", "gan", "diffusion", "restorer"])
def test_two_processes_train_what_one_trains(family, trained):
    alone, (first, second) = trained
    assert first[family] == second[family]  # to the bit
    assert_alike(alone[family], first[family])


def assert_alike(alone, shared):
    for name, value in alone["figures"].items():
        assert shared["figures"][name] == pytest.approx(value, rel=1e-4, abs=1e-5), name
    for a, b in zip(shared["weights"], alone["weights"], strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-5)
    np.testing.assert_allclose(shared["made"], alone["made"], rtol=0, atol=1e-4)


@pytest.fixture(scope="module")
def devices(folder):
    """Return what one process reports that has two devices."""
    return reports(folder, "devices", 1)[0]


@pytest.mark.parametrize("family", ["vae", "gan", "diffusion", "restorer"])
def test_two_devices_train_what_one_trains(family, trained, devices):
    assert_alike(trained[0][family], devices[family])


@pytest.mark.parametrize("kind", ["stream", "grain"])
def test_streams_are_shared_out_too(kind, trained):
    alone, (first, second) = trained
    if kind not in alone:
        pytest.skip("needs TensorFlow, or Grain")
    assert first[kind] == second[kind] == pytest.approx(alone[kind], rel=1e-4)


def test_one_of_them_writes(trained, folder):
    for name in ("drawn", "shown"):
        files = sorted(file.name for file in (folder / f"{name} train 2").iterdir())
        assert files == ["epoch_0001.png", "epoch_0002.png"], name


def test_all_of_them_resume(folder):
    (alone,), (first, second) = reports(folder, "resume", 1), reports(folder, "resume", 2)
    assert alone["same"]
    assert first["same"]
    assert first == second
    for a, b in zip(first["weights"], alone["weights"], strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-5)


def test_what_would_train_apart_is_refused(folder):
    for report in reports(folder, "refused", 2):
        said = report["said"]
        assert set(said) == {"no distribution", "number", "pictures", "order", "degradation"}
        alone = said.pop("no distribution")
        assert "2 processes train one model by keras.distribution.DataParallel" in alone
        for name, other in said.items():
            wanted = "All 2 processes must begin with the same data, seed and weights"
            assert other.startswith(wanted), name
            assert "\n" not in other


def test_if_one_is_killed_the_other_ends(folder):
    with processes(folder, "die", 2) as (first, second):
        begin = time.monotonic()
        while not all((folder / f"alive {rank}").exists() for rank in (0, 1)):
            assert time.monotonic() < begin + SECONDS
            assert first.poll() is second.poll() is None
            time.sleep(0.1)
        second.send_signal(signal.SIGKILL)
        assert first.wait(60) != 0
