"""Several processes, on as many hosts, that train one model: which they are, and who writes."""

import contextlib
import json
import os
import re
import sys
import warnings
from dataclasses import dataclass

import keras

from keras_imgen import backends
from keras_imgen.cli import meeting
from keras_imgen.cli.command import silenced

HEARTBEAT = 20  # seconds without a sign of one of them, after which the others end
# Of the ports that no program has for its own, where the tasks of a job of SLURM meet.
FIRST_PORT, NUM_PORTS = 61440, 4096
# What `srun` tells each task that it starts.
SLURM = ("SLURM_JOB_ID", "SLURM_STEP_NODELIST", "SLURM_NTASKS", "SLURM_PROCID", "SLURM_LOCALID")


@dataclass(frozen=True)
class Hosts:
    """The processes of a training.

    Attributes:
        count: how many they are.
        rank: the number of this one, from 0.
        address: where the first one listens, `name:port`.
        device: which of the devices of its host this one takes; by default all of them.
    """

    count: int
    rank: int
    address: str
    device: int | None = None


def asked(args) -> Hosts | None:
    """Return the processes that `--hosts` or SLURM tell of, or None if this one is alone."""
    if args.hosts is not None:
        return Hosts(len(args.hosts), args.host, args.hosts[0])
    if not all(name in os.environ for name in SLURM):
        return None
    # In an interactive job, SLURM_NTASKS is what the job may start, not what runs.
    count = int(os.environ.get("SLURM_STEP_NUM_TASKS", os.environ["SLURM_NTASKS"]))
    if count == 1:
        return None
    rank, device = (int(os.environ[f"SLURM_{name}"]) for name in ("PROCID", "LOCALID"))
    return Hosts(count, rank, _address(), device)


def _address():
    """Return where the first task of a step of SLURM listens."""
    # The first of such as `node7`, `node[07-12,15],other`.
    prefix, number = re.match(r"([^,\[]+)(?:\[(\d+))?", os.environ["SLURM_STEP_NODELIST"]).groups()
    port = FIRST_PORT + int(os.environ["SLURM_JOB_ID"]) % NUM_PORTS  # two jobs may share a node
    return f"{prefix}{number or ''}:{port}"


@contextlib.contextmanager
def joined(args, run: dict):
    """Make this process one of those that train a model together, if there are several.

    Args:
        args: the arguments; `hosts` and `host` tell where, else SLURM does.
        run: what all of them must have been asked for.

    Raises:
        ValueError: if the backend cannot, or steps would have to be timed.
        ConnectionError: if they were asked for different things, or have not all come within
            `meeting.WAIT` seconds.
    """
    hosts = asked(args)
    if hosts is None:
        yield
        return
    _check(args, hosts)
    meeting.meet(hosts.address, hosts.count, hosts.rank, json.dumps({**run, "hosts": args.hosts}))
    before = keras.distribution.distribution()
    with silenced(sys.stdout, 1):  # how many have come, Gloo says in words of its own
        _connect(hosts)
    try:
        if not backends.is_first():
            warnings.simplefilter("ignore")  # the first one has said it
        yield
    finally:
        keras.distribution.set_distribution(before)


@contextlib.contextmanager
def all_ready():
    """Let the processes go on behind this only if none of them has met an error inside.

    What runs inside must not wait for the others.
    """
    several = backends.hosts()[1] > 1
    try:
        yield
    except Exception:
        if several:
            backends.agreed("failed")
        raise
    if several and not backends.agreed("ready"):
        raise RuntimeError(
            "Another one of the processes that train this model cannot begin, and says why where "
            "it runs. Nothing was trained."
        )


def _check(args, hosts):
    where = "--hosts" if args.hosts is not None else "srun, which started several tasks,"
    if keras.backend.backend() != "jax":
        apart = " For trainings apart start `env -u SLURM_STEP_NODELIST keras-imgen train ...`."
        raise ValueError(
            f"{where} trains one model in {hosts.count} processes, which only JAX can. Received: "
            f"the backend {keras.backend.backend()}. Set KERAS_BACKEND=jax in the environment of "
            f"each.{apart if args.hosts is None else ''}"
        )
    if args.precision == "auto":
        raise ValueError(
            "--precision auto times the steps of one process. Received: it with "
            f"{hosts.count} processes. Pass --precision float32 or bfloat16."
        )


def _connect(hosts):
    import jax

    jax.distributed.initialize(
        hosts.address,
        hosts.count,
        hosts.rank,
        hosts.device,
        initialization_timeout=meeting.WAIT,
        heartbeat_timeout_seconds=HEARTBEAT,
    )
    # `fit` gives each process its part of a batch; Keras need not.
    data_parallel = keras.distribution.DataParallel(auto_shard_dataset=False)
    keras.distribution.set_distribution(data_parallel)
    backends.agreed("here")
