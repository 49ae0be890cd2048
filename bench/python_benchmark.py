#!/usr/bin/env python3
"""A call of one small tensor from Python: Slipway's package, C++ (`slipway run --repeat`), ExecuTorch's Python runtime, ONNX Runtime.

usage: python_benchmark.py [--rounds 7] [--calls 20000]; `make wheel` first.
All four run the same program without engines, in turn; microseconds, medians of the rounds' means. C++'s are medians of calls.
"""

import argparse
import os
import pathlib
import statistics
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "build/python/site"))
import numpy as np  # noqa: E402
import onnxruntime  # noqa: E402
import slipway  # noqa: E402
import torch  # noqa: E402
from executorch.runtime import Runtime  # noqa: E402

from measure import median_call  # noqa: E402

TOOL = os.environ.get("SLIPWAY", str(ROOT / "build/release/slipway"))


def mean(call, calls):
    started = time.perf_counter()
    for _ in range(calls):
        call()
    return (time.perf_counter() - started) / calls * 1e6


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--calls", type=int, default=20000)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        file, model, array = (os.path.join(folder, name) for name in ("m.pte", "m.onnx", "x.npy"))
        program = torch.export.export(torch.nn.ReLU(), (torch.randn(1, 16),))
        slipway.compile(program, file, engine="none")
        slipway.compile(program, model, kind="onnx", engine="none")
        x, tensor = np.random.randn(1, 16).astype(np.float32), torch.randn(1, 16)
        np.save(array, x)
        method = slipway.load(file).method()
        theirs = Runtime.get().load_program(file).load_method("forward")
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(model, settings, providers=["CPUExecutionProvider"])
        feed = {session.get_inputs()[0].name: x}
        runs = {
            "Slipway, NumPy": lambda n: mean(lambda: method(x), n),
            "Slipway, PyTorch": lambda n: mean(lambda: method(tensor), n),
            "C++": lambda n: median_call(TOOL, file, array, n) * 1e3,
            "ExecuTorch's Python runtime": lambda n: mean(lambda: theirs.execute([tensor]), n),
            "ONNX Runtime": lambda n: mean(lambda: session.run(None, feed), n),
        }
        times = {name: [] for name in runs}
        for _ in range(options.rounds):
            for name, run in runs.items():
                times[name].append(run(options.calls))
    medians = {name: statistics.median(taken) for name, taken in times.items()}
    print("| | us a call | over C++ |\n| --- | --- | --- |")
    for name, median in medians.items():
        print(f"| {name} | {median:.2f} | {median - medians['C++']:+.2f} |")


if __name__ == "__main__":
    main()
