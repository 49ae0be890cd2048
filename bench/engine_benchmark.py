"""Slipway's engines against OpenVINO called directly, ONNX Runtime, eager PyTorch and ExecuTorch with XNNPACK.

usage: engine_benchmark.py [--build build/release] [--models resnet18,minilm] [--rounds 200] [--runs 5] [--calls]
Everything runs on two threads, in float32, each runtime in a process of its own that waits while another runs.

- A call: rounds of several calls of each, in an order that is drawn for each round. At the first one's start the caches hold what others left there, and
  threads sleep; those after it are a loop of a tenth of a second, of 2 to 10 calls, and have a table of their own. "tuned" is Slipway with
  `--engine openvino,xnnpack --tune`, which measures calls in a loop.
- Loading: from a process that has read its inputs to the first result; new processes in turn, the file in the cache.
- Compiling: processes in turn.
- Memory: the peak of a process that loads and makes five calls, above the same with a model of sixteen weights; pages of
  mapped files are apart.
"""

import argparse
import json
import math
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
import torch
from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
from executorch.exir import to_edge_transform_and_lower

sys.path.insert(0, os.path.dirname(__file__))
import engine_models  # noqa: E402
from measure import measure  # noqa: E402

MIB = 1 << 20
RUNTIMES = ("slipway", "openvino", "tuned", "onnxruntime", "pytorch", "xnnpack")
SLOW = {"vit_b_16": 20, "yolov8n": 60}  # rounds
WARM_UP = 5
# Longer than the threads of a runtime that has just run keep spinning.
PAUSE_SECONDS = 0.01
LOOP_MILLISECONDS = 100


class Files:
    """What the runtimes read of one model, and the commands that run it."""

    def __init__(self, name, folder, build):
        self.tool = os.path.join(build, "slipway")
        self.server = os.path.join(build, "benchmarks", "inference_server")
        self.name, self.base = name, os.path.join(folder, name)
        # Of the outputs' sum. Steps of 8 bits fall differently from runtime to runtime.
        self.tolerance = 20 if name.endswith("_int8") else 1e-2
        _, inputs = engine_models.make(name)
        self.inputs = []
        for position, tensor in enumerate(inputs):
            self.inputs.append(f"{self.base}.{position}.npy")
            np.save(self.inputs[-1], tensor.numpy())
        program = engine_models.export(name)
        torch.export.save(program, self.path("pt2"))
        for runtime in ("slipway", "tuned"):
            subprocess.run(self.compile_command(runtime), check=True, stdout=subprocess.DEVNULL)
        subprocess.run([self.tool, "compile", self.path("pt2"), "-o", self.path("onnx")], check=True)
        lowered = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()]).to_executorch()
        with open(self.path("xnnpack.pte"), "wb") as file:
            lowered.write_to_file(file)
        extract = [self.tool, "extract", self.path("pte"), "-o", self.path("engine")]  # what import_model takes
        subprocess.run(extract, check=True, stdout=subprocess.DEVNULL)
        self.engine_inputs = self.convert_inputs()

    def path(self, suffix):
        return f"{self.base}.{suffix}"

    def compile_command(self, runtime):
        if runtime == "slipway":
            return [self.tool, "compile", self.path("pt2"), "-o", self.path("pte"), "--engine", "openvino", "--no-cache"]
        if runtime == "tuned":
            list_of_engines = ["--engine", "openvino,xnnpack", "--tune", "--no-cache"]
            return [self.tool, "compile", self.path("pt2"), "-o", self.path("tuned.pte"), *list_of_engines]
        return [self.server, "compile", self.path("onnx"), self.path("blob")]

    def run_command(self, runtime):
        model = {
            "slipway": self.path("pte"),
            "tuned": self.path("tuned.pte"),
            "openvino": self.path("onnx"),
            "import": self.path("engine"),
            "onnxruntime": self.path("onnx"),
            "pytorch": self.name,
            "xnnpack": self.path("xnnpack.pte"),
        }[runtime]
        peer = [sys.executable, os.path.join(os.path.dirname(__file__), "engine_peer.py")]
        ours = runtime in ("slipway", "tuned", "openvino", "import")
        inputs = self.engine_inputs if runtime == "import" else self.inputs
        kind = "slipway" if runtime == "tuned" else runtime
        return [*([self.server] if ours else peer), kind, model, *inputs]

    def chosen(self):
        """The engines of the fastest cut."""
        inspect = [self.tool, "inspect", "--json", self.path("tuned.pte")]
        cut = json.loads(subprocess.run(inspect, check=True, capture_output=True).stdout)["manifest"]["tuning"]["cuts"][0]
        return ",".join(cut["engines"])

    def convert_inputs(self):
        """The inputs as the engine takes them: it is given a mask of booleans, which a kernel makes of the program's integers."""
        inspect = [self.tool, "inspect", "--json", self.path("pte")]
        [method] = json.loads(subprocess.run(inspect, check=True, capture_output=True).stdout)["methods"]
        [engine] = method["engines"]
        files = []
        for file, tensor in zip(self.inputs, engine["inputs"], strict=True):
            files.append(file.replace(".npy", ".engine.npy"))
            np.save(files[-1], np.load(file).astype(tensor["type"]))
        return files


class Server:
    """A process that makes a call when asked to."""

    def __init__(self, command):
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        first, total = self.process.stdout.readline().split()
        self.first_result_ms, self.sum = int(first) / 1e6, float(total)

    def call(self):
        """Milliseconds of one call."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline()) / 1e6

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        assert self.process.wait() == 0


def call_times(files, rounds):
    """Milliseconds of the first calls of all rounds, and of those in loops, by runtime."""
    servers = {runtime: Server(files.run_command(runtime)) for runtime in RUNTIMES}
    for runtime, server in servers.items():
        assert math.isclose(server.sum, servers["pytorch"].sum, rel_tol=1e-3, abs_tol=files.tolerance), (
            f"the sum of outputs of {runtime} is {server.sum}, PyTorch's {servers['pytorch'].sum}"
        )
    first, loop = ({runtime: [] for runtime in RUNTIMES} for _ in range(2))
    order = random.Random(0)
    for number in range(-WARM_UP, rounds):
        for runtime in order.sample(RUNTIMES, len(RUNTIMES)):
            time.sleep(PAUSE_SECONDS)
            taken = [servers[runtime].call()]
            count = min(max(int(LOOP_MILLISECONDS / taken[0]), 2), 10)
            taken += [servers[runtime].call() for _ in range(count)]
            if number >= 0:
                first[runtime].append(taken[0])
                loop[runtime] += taken[1:]
    for server in servers.values():
        server.__exit__()
    return first, loop


def call_row(times, chosen):
    """Of the table of calls."""
    median = {runtime: statistics.median(taken) for runtime, taken in times.items()}
    of_openvino = f"{median['slipway'] / median['openvino']:.3f}, {(median['slipway'] - median['openvino']) * 1000:+.0f} us"
    fastest = min(median[runtime] for runtime in RUNTIMES if runtime not in ("slipway", "tuned"))
    return [
        f"{median['slipway']:.2f} ms",
        f"{median['openvino']:.2f} ms",
        of_openvino,
        *(f"{median[runtime]:.2f} ms ({median[runtime] / median['slipway']:.2f})" for runtime in RUNTIMES[2:]),
        chosen,
        f"{median['tuned'] / fastest:.3f}",
    ]


def load_times(files, runs):
    """Median milliseconds from the start of loading to the first result, by Slipway and by import_model."""
    times = {"slipway": [], "import": []}
    for number in range(2 * runs + 1):
        for runtime, taken in list(times.items())[:: 1 if number % 2 else -1]:
            with Server(files.run_command(runtime)) as server:
                taken.append(server.first_result_ms)
    return {runtime: statistics.median(taken[1:]) for runtime, taken in times.items()}


def compile_measures(files, runs):
    times = {"slipway": [], "openvino": []}
    for _ in range(runs):
        for runtime, taken in times.items():
            taken.append(measure(files.compile_command(runtime)))
    return {
        runtime: (statistics.median(m.seconds for m in taken), max(m.peak_anon for m in taken))
        for runtime, taken in times.items()
    }


def memory(files, runtime):
    """The peaks of (memory of its own, pages of mapped files) in bytes."""
    read_end, write_end = os.pipe()
    os.write(write_end, b"\n" * 5)
    os.close(write_end)
    with os.fdopen(read_end) as asked:
        peak = measure(files.run_command(runtime), stdin=asked)
    return peak.peak_anon, peak.peak_file


def table(head, rows):
    print("| " + " | ".join(head) + " |")
    print("| " + " | ".join("---" for _ in head) + " |")
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print(flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--models", default=",".join(engine_models.FLOATS[1:]))
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--calls", action="store_true", help="measure calls alone")
    options = parser.parse_args()
    names = options.models.split(",")
    calls, loads, compiles, memories = ([], []), [], [], []
    with tempfile.TemporaryDirectory() as folder:
        if not options.calls:
            tiny = Files("tiny", folder, options.build)
            tiny_memory = {runtime: memory(tiny, runtime) for runtime in (*RUNTIMES, "import")}
            tiny_compile = compile_measures(tiny, options.runs)
        for name in names:
            files = Files(name, folder, options.build)
            rounds = min(options.rounds, SLOW.get(name, options.rounds))
            for rows, times in zip(calls, call_times(files, rounds)):
                rows.append([name, str(rounds), *call_row(times, files.chosen())])
                print(rows[-1], file=sys.stderr)
            if options.calls:
                continue
            load = load_times(files, options.runs)
            loads.append(
                [
                    name,
                    f"{os.path.getsize(files.path('pte')) / MIB:.1f} MiB",
                    f"{load['slipway']:.1f} ms",
                    f"{load['import']:.1f} ms",
                    f"{load['slipway'] / load['import']:.2f}",
                ]
            )
            compiled = compile_measures(files, options.runs)
            compiles.append([name])
            for runtime, (seconds, anon) in compiled.items():
                compiles[-1] += [f"{seconds:.2f} s", f"{(anon - tiny_compile[runtime][1]) / MIB:.0f} MiB"]
            memories.append([name])
            for runtime in ("slipway", "import", "openvino", *RUNTIMES[3:]):
                anon, mapped = (a - b for a, b in zip(memory(files, runtime), tiny_memory[runtime]))
                memories[-1].append(f"{anon / MIB:.0f} + {mapped / MIB:.0f} MiB")
            print(loads[-1], compiles[-1], memories[-1], sep="\n", file=sys.stderr)
    head = ["model", "rounds", "Slipway", "OpenVINO", "Slipway / OpenVINO"]
    peers = ["ONNX Runtime", "PyTorch eager", "ExecuTorch with XNNPACK"]
    for what, rows in zip(("The first call after others'", "Calls in a loop after that"), calls):
        print(f"{what}: medians; in brackets, the peer's as a multiple of Slipway's")
        table([*head, "Slipway, tuned", *peers, "engines", "tuned / fastest peer"], rows)
    if options.calls:
        return
    print("From the start of loading to the first result")
    table(["model", "file", "Slipway", "import_model", "Slipway / import_model"], loads)
    print("Compiling: seconds, and memory above the tiny model's")
    table(["model", "Slipway", "memory", "OpenVINO", "memory"], compiles)
    print("Memory of a process that runs the model, above the tiny model's: its own + pages of mapped files")
    columns = ["Slipway", "import_model", "OpenVINO from ONNX", "ONNX Runtime", "PyTorch eager", "ExecuTorch with XNNPACK"]
    table(["model", *columns], memories)


if __name__ == "__main__":
    main()
