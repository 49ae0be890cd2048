#!/usr/bin/env python3
"""Requests a second and memory of examples/serving behind Ray Serve and NVIDIA's Triton, beside the bare module in one process.

usage: serving_benchmark.py [--model mtcnn_rnet] [--seconds 20] [--clients 16]; `make wheel` and tools/setup_serving.sh first.
The clients are threads of one process on the same machine, ask with one sample at a time and hold each answer to PyTorch's. Memory is
RssAnon of all processes of a server after the load: what they filled themselves, without the pages of mapped files, which they share.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).parents[1]
PYTHON = ROOT / ".deps/serving/bin/python"
sys.path.insert(0, str(ROOT / "tests/serving"))


def memory(process):
    """RssAnon in MiB."""
    try:
        status = pathlib.Path(f"/proc/{process}/status").read_text()
    except FileNotFoundError:
        return 0
    return sum(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("RssAnon:"))


def row(name, seconds, elapsed, taken):
    seconds = sorted(seconds)
    median, last = (seconds[int(len(seconds) * part)] * 1e3 for part in (0.5, 0.99))
    print(f"| {name} | {len(seconds) / elapsed:.0f} | {median:.2f} | {last:.2f} | {taken:.0f} |", flush=True)


def run_bare(file, model, seconds):
    """The row of a module that one thread calls."""
    import load
    import slipway

    module, cases, times = slipway.load(file, engine_threads=1), load.samples(model), []
    started = ended = time.monotonic()
    while ended < started + seconds:
        sample, expected = cases[len(times) % len(cases)]
        asked = time.monotonic()
        outputs = module(sample[None])
        ended = time.monotonic()
        times.append(ended - asked)
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        assert load.equal([output[0] for output in outputs], expected)
    row("bare module, one thread", times, sum(times), memory(os.getpid()))


def run_server(name, ask, options, script, *arguments):
    import load

    port, other = load.free_ports(2)
    ports = ("--port", port) if script == "ray_serve.py" else ("--http-port", port, "--grpc-port", other)
    cases = load.samples(options.model)

    def ask_one(connection, number):
        sample, expected = cases[number % len(cases)]
        return load.equal(ask(connection, sample), expected)

    with load.Server(script, *arguments, *ports) as server:
        with load.Clients(options.clients, port, ask_one):
            time.sleep(3)  # the first requests are slower
        with load.Clients(options.clients, port, ask_one) as found:
            started = time.monotonic()
            time.sleep(options.seconds)
            elapsed = time.monotonic() - started
        if found.wrong or found.failed:
            sys.exit(f"{name}: {found.wrong} wrong answers, failures: {found.failed[:3]}")
        row(name, found.seconds, elapsed, sum(map(memory, [server.process.pid, *load.children(server.process.pid)])))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="mtcnn_rnet", help="of examples/models, with one input and a batch that varies")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--bare", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if pathlib.Path(sys.prefix) != PYTHON.parents[1]:  # `make bench` has another Python
        os.execv(PYTHON, [str(PYTHON), *sys.argv])
    if options.bare:
        return run_bare(options.bare, options.model, options.seconds)
    import load
    import slipway

    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "model.pte")
        slipway.compile(load.MODELS / f"{options.model}.pt2", file)
        [given] = slipway.load(file).method().inputs
        print(f"{options.model}, {options.clients} clients, load before: {os.getloadavg()[0]:.1f}\n")
        print("| | requests/s | median ms | 99% within ms | MiB, all processes |\n| --- | --- | --- | --- | --- |", flush=True)
        subprocess.run([sys.executable, __file__, "--bare", file, "--model", options.model, "--seconds", str(options.seconds)], check=True)
        for count in (1, 2):
            ask = lambda connection, sample: connection.ask_ray(sample)  # noqa: E731
            run_server(f"Ray Serve, replicas: {count}", ask, options, "ray_serve.py", file, "--replicas", count)
        for count in (1, 2):
            ask = lambda connection, sample: connection.ask_triton(**{given.name: sample})  # noqa: E731
            run_server(f"Triton, instances: {count}", ask, options, "triton_serve.py", file, "--instances", count)


if __name__ == "__main__":
    main()
