"""Starts the servers of examples/serving and asks them as many clients do, for tests/serving and bench/serving_benchmark.py."""

import dataclasses
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

import numpy as np

ROOT = pathlib.Path(__file__).parents[2]
SITE = ROOT / "build/python/site"  # tools/wheel.sh installs it there
EXAMPLES = ROOT / "examples/serving"
sys.path[:0] = [str(SITE), str(EXAMPLES)]

import client  # noqa: E402

MODELS = ROOT / "examples/models"


def samples(name="mtcnn_rnet", cases=(0, 1)):
    """(sample, PyTorch's outputs) of the saved inputs and outputs of a model."""
    found = []
    for case in cases:
        outputs = [np.load(file) for file in sorted(MODELS.glob(f"{name}.{case}.output*.npy"))]
        found += [(sample, list(rows)) for sample, *rows in zip(np.load(MODELS / f"{name}.{case}.input0.npy"), *outputs)]
    return found


def equal(outputs, expected):
    return len(outputs) == len(expected) and all(
        a.shape == b.shape and a.dtype == b.dtype and np.allclose(a, b, rtol=1e-5, atol=1e-5) for a, b in zip(outputs, expected)
    )


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def children(process):
    """The processes below one, with their command lines."""
    found = {}
    for file in pathlib.Path(f"/proc/{process}/task").glob("*/children"):
        try:
            for child in map(int, file.read_text().split()):
                found[child] = pathlib.Path(f"/proc/{child}/cmdline").read_bytes().replace(b"\0", b" ").decode()
                found |= children(child)
        except (FileNotFoundError, ProcessLookupError):
            pass  # it ended meanwhile
    return found


class Server:
    """An example that runs, with a home of its own, until the block ends."""

    def __init__(self, script, *arguments):
        self.command = [sys.executable, EXAMPLES / script, *map(str, arguments)]
        self.home = tempfile.mkdtemp(prefix="serving-")  # short: Ray's sockets lie below
        self.log, self.started, self.folders = pathlib.Path(self.home, "log"), [], []
        self.environment = {
            **os.environ,
            "HOME": self.home,
            "RAY_TMPDIR": self.home,
            "PYTRITON_HOME": self.home,
            "PYTHONPATH": str(SITE),
            "OMP_NUM_THREADS": "1",
            "RAY_USAGE_STATS_ENABLED": "0",
            # A busy machine: Ray gives its workers a niceness of 15, and the proxy five seconds.
            "RAY_worker_niceness": "0",
            "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "60",
        }

    def start(self, attempts=6):
        """As what runs a server does: again where it ends at once. PyTriton's instances wait a second for the first one of them, which
        is short on a busy machine."""
        for attempt in range(1, attempts + 1):
            try:
                return self.start_once()
            except RuntimeError:
                if attempt == attempts:
                    raise

    def start_once(self, seconds=400):
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=subprocess.STDOUT, env=self.environment)
        self.started.append(self.process.pid)
        end = time.monotonic() + seconds
        while "ready\n" not in self.log.read_text():
            if self.process.poll() is not None or time.monotonic() > end:
                text = self.log.read_text()
                self.stop()
                raise RuntimeError(f"{self.command[1].name} did not start:\n{text[-4000:]}")
            time.sleep(0.1)
        # Triton's folders for instances.
        for command in children(self.process.pid).values():
            self.folders += re.findall(r" (/tmp/folder\w{6})/", command)

    def processes(self, part):
        """Those below it whose command line has a text."""
        return sorted(process for process, command in children(self.process.pid).items() if part in command)

    def stop(self):
        """Its exit code."""
        below = children(self.process.pid)
        self.process.terminate()
        try:
            return self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()
        finally:
            for process in below:
                try:
                    os.kill(process, signal.SIGKILL)
                except ProcessLookupError:
                    pass

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()
        # What a Triton that was killed leaves.
        for folder in (self.home, *self.folders):
            shutil.rmtree(folder, ignore_errors=True)
        for process in self.started:
            for file in pathlib.Path("/dev/shm").glob(f"pytrtion{process}-*"):
                file.unlink()


@dataclasses.dataclass
class Load:
    """What clients were answered. `seconds` has how long each answer took, and `ended` when it was there."""

    wrong: int = 0
    retried: int = 0
    failed: list = dataclasses.field(default_factory=list)
    seconds: list = dataclasses.field(default_factory=list)
    ended: list = dataclasses.field(default_factory=list)

    def since(self, moment):
        return sum(end > moment for end in self.ended)


class Clients:
    """Threads that ask a server until the block ends, each by a connection of its own. ask(client, number) says whether the answer is
    right."""

    def __init__(self, count, port, ask):
        self.load, self.over, self.lock = Load(), threading.Event(), threading.Lock()
        self.connections = [client.Client(port=port, attempts=200) for _ in range(count)]
        self.threads = [threading.Thread(target=self.run, args=(ask, number)) for number in range(count)]

    def run(self, ask, number):
        connection = self.connections[number]
        while not self.over.is_set():
            started = time.monotonic()
            try:
                right = ask(connection, number)
            except Exception as error:  # noqa: BLE001: reported by the test
                with self.lock:
                    self.load.failed.append(repr(error))
                continue
            ended = time.monotonic()
            with self.lock:
                self.load.wrong += not right
                self.load.seconds.append(ended - started)
                self.load.ended.append(ended)
            number += 1
        with self.lock:
            self.load.retried += connection.retried

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self.load

    def __exit__(self, kind, *_):
        self.over.set()
        if kind is not None:
            for connection in self.connections:
                connection.attempts = 1
        for thread in self.threads:
            thread.join()


def wait_until(true, seconds=120):
    """Fails when it does not become true."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise TimeoutError("it did not happen")
        time.sleep(0.1)
