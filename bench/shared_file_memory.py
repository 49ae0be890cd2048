#!/usr/bin/env python3
"""Memory of one module and of four that are loaded from one file in one process: Slipway's package, ExecuTorch's Python runtime, ONNX
Runtime.

usage: shared_file_memory.py [--model resnet18] [--count 4]; `make wheel` first.
Each in a process of its own that loads, calls every module once on inputs of the export's sizes, and then reads its RssAnon (memory of its
own) and RssFile (pages of mapped files), above those before the first load.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).parents[1]
RUNTIMES = ("none", "openvino", "openvino, share_engines", "xnnpack", "executorch", "onnxruntime")


def memory():
    status = dict(line.split(":", 1) for line in pathlib.Path("/proc/self/status").read_text().splitlines())
    return [int(status[name].split()[0]) / 1024 for name in ("RssAnon", "RssFile")]


def run(runtime, file, arrays, count):
    """Loads `count` modules and prints what they took, in MiB."""
    sys.path.insert(0, str(ROOT / "build/python/site"))
    import numpy as np

    inputs = [np.load(array) for array in arrays]
    if runtime == "onnxruntime":
        import onnxruntime

        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = 1
        load = lambda: onnxruntime.InferenceSession(file, settings, providers=["CPUExecutionProvider"])  # noqa: E731
        call = lambda session: session.run(None, dict(zip([i.name for i in session.get_inputs()], inputs)))  # noqa: E731
    elif runtime == "executorch":
        import torch
        from executorch.runtime import Runtime

        tensors = list(map(torch.from_numpy, inputs))
        load = lambda: Runtime.get().load_program(file).load_method("forward")  # noqa: E731
        call = lambda method: method.execute(tensors)  # noqa: E731
    else:
        import slipway

        options = {"share_engines": True} if runtime.endswith("share_engines") else {}
        load = lambda: slipway.load(file, engine_threads=1, **options)  # noqa: E731
        call = lambda module: module(*inputs)  # noqa: E731
    before = memory()
    modules = [load() for _ in range(count)]
    for module in modules:
        call(module)
    print(json.dumps([after - old for after, old in zip(memory(), before)]))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="resnet18")
    parser.add_argument("--count", type=int, default=4)
    options = parser.parse_args()
    import engine_models
    import numpy as np
    import torch

    tool = ROOT / "build/release/slipway"
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        torch.export.save(engine_models.export(options.model), folder / "m.pt2")
        arrays = []
        for position, tensor in enumerate(engine_models.make(options.model)[1]):
            arrays.append(str(folder / f"{position}.npy"))
            np.save(arrays[-1], tensor.numpy())
        print(f"{options.model}: MiB of its own + of mapped files\n\n| | 1 module | {options.count} modules |\n| --- | --- | --- |")
        for runtime in RUNTIMES:
            # ExecuTorch runs the file of its own delegate for XNNPACK.
            engine = {"executorch": "xnnpack", "onnxruntime": "none"}.get(runtime, runtime.split(",")[0])
            file = folder / (f"{engine}.onnx" if runtime == "onnxruntime" else f"{engine}.pte")
            subprocess.run([tool, "compile", folder / "m.pt2", "-o", file, "--engine", engine], check=True, stdout=subprocess.DEVNULL)
            cells = []
            for count in (1, options.count):
                command = [sys.executable, __file__, "--run", runtime, file, str(count), *arrays]
                printed = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
                cells.append("{:.0f} + {:.0f}".format(*json.loads(printed)))
            print("|", " | ".join([runtime, *cells]), "|", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--run"]:
        run(sys.argv[2], sys.argv[3], sys.argv[5:], int(sys.argv[4]))
    else:
        main()
