"""`keras-imgen train` in two processes: what one trains; every mistake is one sentence."""

import contextlib
import csv
import signal
import socket
import subprocess
import sys
import threading
import time

import keras
import numpy as np
import pytest
from children import environment_of, free_port
from PIL import Image
from small_runs import run

import keras_imgen
from keras_imgen.cli import datasets, hosts, meeting
from keras_imgen.data import PictureDataset
from keras_imgen.files import locked

SECONDS = 400  # until a process must have ended
EPOCHS = 12  # many enough that one can be killed among them, however busy the machine is


def free_job():
    """Return the number of a job whose port, by which its tasks find each other, is free."""
    for job in range(1000, 1100):
        with contextlib.suppress(OSError), socket.socket() as connection:
            connection.bind(("127.0.0.1", hosts.FIRST_PORT + job % hosts.NUM_PORTS))
            return job
    raise OSError("no port is free")


def addresses():
    return ("--hosts", f"127.0.0.1:{free_port()},127.0.0.1")


def slurm(rank, job):
    return {
        "SLURM_JOB_ID": str(job),
        "SLURM_STEP_NODELIST": "127.0.0.1",
        "SLURM_NTASKS": "2",
        "SLURM_PROCID": str(rank),
        "SLURM_LOCALID": "0",
    }


@contextlib.contextmanager
def started(folder, *commands):
    """Start processes with these arguments and environments; kill what is left in the end."""
    processes = []
    try:
        for argv, environment in commands:
            pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
            options = {"cwd": folder, "env": {**environment_of("jax"), **environment}, **pipes}
            argv = [sys.executable, "-m", "keras_imgen", *map(str, argv)]
            processes.append(subprocess.Popen(argv, **options))
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def ended(folder, *commands):
    """Return status, what is printed and what complained of processes when all have ended."""
    with started(folder, *commands) as processes:
        said = [process.communicate(timeout=SECONDS) for process in processes]
        return [(p.returncode, *texts) for p, texts in zip(processes, said, strict=True)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with pictures; two of them are held out, which two processes can share."""
    pytest.importorskip("jax")
    folder = tmp_path_factory.mktemp("hosts")
    (folder / "pictures").mkdir()
    rng = np.random.default_rng(0)
    for number in range(20):
        pixels = rng.integers(0, 256, (16, 16), dtype="uint8")
        Image.fromarray(pixels).save(folder / "pictures" / f"{number:02}.png")
    return folder


def training(out, *more):
    options = ("--size", 16, "--batch-size", 6, "--epochs", EPOCHS, "--out", out, *more)
    return ("train", "vae", "--data", "pictures", *options)


@pytest.fixture(scope="module")
def whole(folder):
    """What two processes and one say while they train, each to its end."""
    where = addresses()
    two = [(training("two", *where, "--host", rank), {}) for rank in (0, 1)]
    said = ended(folder, *two)
    return said, ended(folder, (training("one"), {}))


def weights(folder, name):
    return [np.asarray(v) for v in keras_imgen.load_model(folder / name / "model.keras").variables]


def figures(folder, name):
    with open(folder / name / "history.csv") as file:
        return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]


@pytest.mark.slow
def test_two_processes_train_what_one_trains(whole, folder):
    said, alone = whole
    for status, _, complaint in (*said, *alone):
        assert status == 0, complaint
    for a, b in zip(figures(folder, "two"), figures(folder, "one"), strict=True):
        assert a == pytest.approx(b, rel=1e-5, abs=1e-6)
    for a, b in zip(weights(folder, "two"), weights(folder, "one"), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


def assert_silent(said):
    _, printed, complaint = said
    assert printed == ""
    for line in complaint.splitlines():  # where TensorFlow is there, its C++ part may
        assert any(name in line for name in ("cuda", "oneDNN", "absl::InitializeLog"))


@pytest.mark.slow
def test_one_of_them_writes_and_speaks(whole, folder):
    (first, second), _ = whole
    assert "The model is" in first[1]
    assert_silent(second)
    left = {file.name for file in (folder / "two").iterdir()}
    assert left == {file.name for file in (folder / "one").iterdir()}
    assert len(list((folder / "two" / "samples").iterdir())) == EPOCHS


@pytest.mark.slow
def test_if_one_is_killed_the_other_ends_and_both_go_on_under_slurm(whole, folder):
    job = free_job()
    both = [(training("killed"), slurm(rank, job)) for rank in (0, 1)]
    history = folder / "killed" / "history.csv"
    with started(folder, *both) as (first, second):
        begin = time.monotonic()
        while not history.exists() or len(history.read_text().splitlines()) < 2:
            assert time.monotonic() < begin + SECONDS
            assert first.poll() is second.poll() is None
            time.sleep(0.02)
        second.send_signal(signal.SIGKILL)
        first.communicate(timeout=120)
        assert first.returncode != 0
    assert not (folder / "killed" / "model.keras").exists()
    first, second = ended(folder, *both)
    assert first[0] == second[0] == 0, first[2] + second[2]
    assert "Going on after epoch" in first[1]
    assert_silent(second)
    for a, b in zip(weights(folder, "killed"), weights(folder, "two"), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_what_one_of_them_refuses_ends_the_others(folder):
    where = addresses()
    both = [(training("locked", *where, "--host", rank), {}) for rank in (0, 1)]
    with locked(folder / "locked"):
        first, second = ended(folder, *both)
    assert "Another process writes to" in first[2]
    assert "cannot begin, and says why where it runs" in second[2]
    for status, _, complaint in (first, second):
        assert status == 1
        assert complaint.count("keras-imgen: ") == 1
        assert "Traceback" not in complaint


def met(count, *processes):
    """Return what each of these processes, `(rank, run)`, hears; "" if all is well."""
    address, heard = f"127.0.0.1:{free_port()}", {}

    def meet(place, rank, run):
        try:
            heard[place] = meeting.meet(address, count, rank, run) or ""
        except ConnectionError as error:
            heard[place] = str(error)

    threads = [
        threading.Thread(target=meet, args=(place, *process), daemon=True)
        for place, process in enumerate(processes)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    return [heard[place] for place in range(len(processes))]


def test_processes_meet_in_any_order():
    for processes in ([(0, "a"), (1, "a"), (2, "a")], [(2, "a"), (1, "a"), (0, "a")]):
        assert met(3, *processes) == ["", "", ""]


def test_who_does_not_come_is_waited_for_so_long_and_no_longer(monkeypatch):
    monkeypatch.setattr(meeting, "WAIT", 2.0)
    for said in met(3, (0, "a"), (1, "a")):
        assert "number 2 did not come. Start all of them within 2 s" in said
    [said] = met(2, (0, "a"))
    assert "2 processes train this model together, numbered from 0 to 1" in said
    assert "Received by number 0: number 1 did not come" in said
    [said] = met(2, (1, "a"))
    assert "Received by number 1: number 0 is not at 127.0.0.1:" in said


def test_processes_that_were_asked_for_different_things_say_so():
    for said in met(2, (0, '{"seed": 0}'), (1, '{"seed": 1}')):
        assert 'number 0 was asked for {"seed": 0}, number 1 for {"seed": 1}' in said
        assert "with the same arguments" in said


def test_two_processes_of_one_number_say_so():
    said = met(3, (0, "a"), (1, "a"), (1, "a"))
    assert all("two of them say that they are number 1" in each for each in said)


def test_a_stranger_at_the_door_is_left_alone():
    port = free_port()
    heard = []
    first = threading.Thread(
        target=lambda: heard.append(meeting.meet(f"127.0.0.1:{port}", 2, 0, "a")), daemon=True
    )
    first.start()
    for noise in (b"GET / HTTP/1.0\r\n\r\n", b"\xff\xfe\n", b"7\n", b""):
        while True:
            with contextlib.suppress(ConnectionRefusedError):
                stranger = socket.create_connection(("127.0.0.1", port), 10)
                break
        with stranger:
            stranger.sendall(noise)
    meeting.meet(f"127.0.0.1:{port}", 2, 1, "a")
    first.join(60)
    assert heard == [None]


@pytest.mark.parametrize(
    ("argv", "advice"),
    [
        (["--hosts", "a:1,b"], "Received: --hosts without --host. Pass both, or neither"),
        (["--host", "0"], "Received: --host without --hosts"),
        (["--hosts", "a:1,b", "--host", "2"], "from 0 to 1. Received: --host 2"),
        (["--hosts", "a:1,b", "--host", "-1"], "must be at least 0, not -1"),
        (["--hosts", "a:1", "--host", "0"], "must be two hosts or more, such as 10.0.0.1:1234,10"),
        (["--hosts", "a:1,,b", "--host", "0"], "must be two hosts or more"),
        (["--hosts", "a,b", "--host", "0"], "by which port the first host is reached"),
        (["--hosts", "a:99999,b", "--host", "0"], "by which port the first host is reached"),
        (["--hosts", ":1,b", "--host", "0"], "by which port the first host is reached"),
    ],
)
def test_hosts_that_are_none_are_refused_at_once(argv, advice, tmp_path, capsys):
    try:
        status = run("train", "vae", *argv, "--out", tmp_path / "run")
    except SystemExit as error:
        status = error.code
    complaint = capsys.readouterr().err
    assert status == 2
    assert advice in complaint
    assert len(complaint.splitlines()) == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="JAX can")
def test_another_backend_names_jax(tmp_path, monkeypatch, capsys):
    command = ("train", "vae", "--out", tmp_path / "run")
    assert run(*command, "--hosts", "a:1,b", "--host", 0) == 2
    assert "Set KERAS_BACKEND=jax in the environment of each" in capsys.readouterr().err
    for name, value in slurm(0, 1).items():
        monkeypatch.setenv(name, value)
    assert run(*command) == 2
    complaint = capsys.readouterr().err
    assert "srun, which started several tasks" in complaint
    assert "KERAS_BACKEND=jax" in complaint
    assert "env -u SLURM_STEP_NODELIST" in complaint
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("changes", "several"),
    [
        ({}, True),
        ({"SLURM_NTASKS": "1"}, False),
        ({"SLURM_STEP_NODELIST": None}, False),  # in a job, but not started by srun
        ({"SLURM_STEP_NUM_TASKS": "1"}, False),  # in an interactive one
    ],
)
def test_who_trains_together_under_slurm(changes, several, monkeypatch):
    for name, value in (slurm(1, 7) | changes).items():
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    args = type("Args", (), {"hosts": None, "host": None})
    assert hosts.asked(args) == (hosts.Hosts(2, 1, "127.0.0.1:61447", 0) if several else None)


def test_what_is_asked_for_goes_before_slurm(monkeypatch):
    for name, value in slurm(1, 7).items():
        monkeypatch.setenv(name, value)
    args = type("Args", (), {"hosts": ["a:1", "b", "c"], "host": 2})
    assert hosts.asked(args) == hosts.Hosts(3, 2, "a:1")


@pytest.mark.parametrize(("count", "parts", "left"), [(7, 2, 6), (6, 2, 6), (5, 1, 5), (3, 3, 3)])
def test_the_held_out_pictures_are_shared_equally(count, parts, left):
    pictures = np.random.default_rng(0).random((count, 8, 8, 1), "float32")
    dataset = PictureDataset(pictures, batch_size=4, shuffle=False)
    divided = datasets.divided(dataset, parts)
    np.testing.assert_array_equal(divided.take(9), pictures[:left])


def test_fewer_held_out_pictures_than_devices_are_refused():
    dataset = PictureDataset(np.zeros((2, 8, 8, 1), "float32"), batch_size=2)
    with pytest.raises(ValueError, match=r"at least one for each. Received: 2 of them. Pass more"):
        datasets.divided(dataset, 3)
