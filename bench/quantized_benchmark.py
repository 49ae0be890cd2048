#!/usr/bin/env python3
"""Quantized networks against the same in float32, with one engine (--engine, or the default one): bytes of the files, and time of a call.

`slipway run --repeat` of each in turn, so that both meet the same load; a ratio is the median of the rounds' ratios of medians,
with the smallest and the largest. Say beside the figures what else ran on the machine.
"""

import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

import numpy as np
import torch

ROOT = pathlib.Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "peers"))
import image_models  # noqa: E402
from engine_models import quantize  # noqa: E402

from measure import median_call  # noqa: E402

TOOL = os.environ.get("SLIPWAY", str(ROOT / "build" / "release" / "slipway"))
CASES = [("resnet18", "xnnpack"), ("mobilenet_v2", "xnnpack"), ("mobilenet_v2", "x86")]


def call(*arguments):
    return subprocess.run([TOOL, *map(str, arguments)], check=True, capture_output=True, text=True).stdout


def compiled(model, image, folder, name, options):
    archive, file = folder / f"{name}.pt2", folder / f"{name}.pte"
    torch.export.save(torch.export.export(model, (image,)), archive)
    call("compile", archive, "-o", file, "--no-cache", *options)
    return file


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=40)
    parser.add_argument("--engine")
    options = parser.parse_args()
    engine = ["--engine", options.engine] if options.engine else []
    print("| model | quantizer | file, float32 | file, int8 | size | time |\n| --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        torch.manual_seed(0)
        image = torch.randn(1, 3, 224, 224)
        np.save(folder / "x.npy", image.numpy())
        for name, quantizer in CASES:
            model = image_models.make(name)
            models = {"float32": model, "int8": quantize(model, quantizer, image)}
            files = [compiled(each, image, folder, kind, engine) for kind, each in models.items()]
            ratios = []
            for _ in range(options.rounds):
                plain, int8 = (median_call(TOOL, file, folder / "x.npy", options.calls) for file in files)
                ratios.append(int8 / plain)
            sizes = [file.stat().st_size / 2**20 for file in files]
            print(
                f"| {name} | {quantizer} | {sizes[0]:.1f} MiB | {sizes[1]:.1f} MiB | {sizes[1] / sizes[0]:.2f} | "
                f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) |",
                flush=True,
            )


if __name__ == "__main__":
    main()
