"""Lets processes wait for each other, so long and no longer, before JAX connects them.

JAX itself ends a process for which another one does not come by a stack trace.
"""

import contextlib
import json
import socket
import time

WAIT = 300  # seconds until all must have come
PAUSE = 0.2  # seconds between two attempts
PATIENCE = 5  # seconds for who is there to say a word


def meet(address: str, count: int, rank: int, run: str) -> None:
    """Return when all processes have come that are to train one model together.

    The first one listens at the address; when all are there, it tells the others.

    Args:
        address: of the first process, `name:port`.
        count: how many they are.
        rank: the number of this one, from 0.
        run: what this one was asked for, as all must be.

    Raises:
        ConnectionError: if one does not come within `WAIT` seconds, two have one number, or they
            were asked for different things; each process that is there says why.
        OSError: if the first process cannot listen there.
    """
    end = time.monotonic() + WAIT
    answer = (_listen if rank == 0 else _call)(address, count, rank, run, end)
    if answer:
        raise ConnectionError(
            f"{count} processes train this model together, numbered from 0 to {count - 1}. "
            f"Received by number {rank}: {answer}. Start all of them within {WAIT:g} s, with "
            f"the same arguments, and let them reach {address}."
        )


def _listen(address, count, rank, run, end):
    """Return what is wrong, having told the others, or "" when all have come."""
    name, _, port = address.rpartition(":")
    family = socket.AF_INET6 if name.startswith("[") else socket.AF_INET
    answer, there, callers = "", set(), []
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("", int(port)), family=family))
        while len(there) < count - 1 and not answer:
            try:
                listener.settimeout(_left(end))
                caller = stack.enter_context(listener.accept()[0])
            except TimeoutError:
                missing = sorted({*range(1, count)} - there)
                answer = f"number {', '.join(map(str, missing))} did not come"
                break
            try:
                caller.settimeout(PATIENCE)
                number, wanted = json.loads(_line(caller))
            except (ValueError, TypeError, OSError):
                continue  # somebody else, or one that has ended
            if wanted != run:
                answer = f"number 0 was asked for {run}, number {number} for {wanted}"
            elif number in there:
                answer = f"two of them say that they are number {number}"
            there.add(number)
            callers.append(caller)
        for caller in callers:
            with contextlib.suppress(OSError):
                caller.sendall(f"{json.dumps(answer)}\n".encode())
                _line(caller)  # it closes first, so that the port is free at once
    return answer


def _call(address, count, rank, run, end):
    """Return what the first process answers, or that it does not."""
    name, _, port = address.rpartition(":")
    while time.monotonic() < end:
        with contextlib.suppress(OSError):  # it is not there yet
            place = (name.strip("[]"), int(port))
            with socket.create_connection(place, _left(end)) as connection:
                connection.settimeout(WAIT + PATIENCE)  # it may have begun to wait just now
                connection.sendall(f"{json.dumps([rank, run])}\n".encode())
                if line := _line(connection):
                    return json.loads(line)
        time.sleep(PAUSE)
    return f"number 0 is not at {address}"


def _left(end):
    return max(0.001, end - time.monotonic())


def _line(connection):
    with connection.makefile("r") as file:
        return file.readline()
