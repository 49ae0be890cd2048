#!/usr/bin/env python3
"""A product of a Llama's size in float32 and dynamically quantized, with weights of 8 and 4 bits, on XNNPACK: bytes of the files, and time of a call.

`slipway run --repeat` of our files and of ExecuTorch's own exports for XNNPACK, in turn, so that all meet the same load; a ratio is the
median of the rounds' ratios to float32's, with the smallest and the largest. Say beside the figures what else ran on the machine.
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
from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
from executorch.exir import to_edge_transform_and_lower
from torchao.quantization import Int8DynamicActivationIntxWeightConfig, quantize_
from torchao.quantization.granularity import PerAxis, PerGroup

ROOT = pathlib.Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "bench"))

from measure import median_call  # noqa: E402

TOOL = os.environ.get("SLIPWAY", str(ROOT / "build" / "release" / "slipway"))
FORMS = {
    "float32": None,
    "8 bits": Int8DynamicActivationIntxWeightConfig(weight_dtype=torch.int8, weight_granularity=PerAxis(0)),
    "4 bits": Int8DynamicActivationIntxWeightConfig(
        weight_dtype=torch.int4, weight_granularity=PerGroup(32), weight_scale_dtype=torch.bfloat16
    ),
}


def files(form, size, rows, folder):
    """Ours and ExecuTorch's."""
    torch.manual_seed(0)
    model, x = torch.nn.Sequential(torch.nn.Linear(size, size, bias=False)).eval(), torch.randn(rows, size)
    if FORMS[form] is not None:
        quantize_(model, FORMS[form])
    program = torch.export.export(model, (x,))
    archive, ours, theirs = (folder / f"{form}.{end}" for end in ("pt2", "pte", "stock.pte"))
    torch.export.save(program.run_decompositions(), archive)
    command = [TOOL, "compile", archive, "-o", ours, "--engine", "xnnpack", "--require-full", "--no-cache"]
    subprocess.run(command, check=True, capture_output=True)
    theirs.write_bytes(to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()]).to_executorch().buffer)
    return ours, theirs


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--size", type=int, default=2048)
    options = parser.parse_args()
    print("| rows | weights | file | ms | ExecuTorch's export, ms | time / float32 |\n| --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for rows in (1, 64):
            np.save(folder / "x.npy", torch.randn(rows, options.size).numpy())
            pairs = {form: files(form, options.size, rows, folder) for form in FORMS}
            times = {form: ([], []) for form in FORMS}
            for _ in range(options.rounds):
                for form, pair in pairs.items():
                    for file, list_of in zip(pair, times[form]):
                        list_of.append(median_call(TOOL, file, folder / "x.npy", options.calls))
            for form, (ours, theirs) in times.items():
                ratios = [mine / plain for mine, plain in zip(ours, times["float32"][0])]
                print(
                    f"| {rows} | {form} | {pairs[form][0].stat().st_size / 2**20:.1f} MiB | {statistics.median(ours):.3f} | "
                    f"{statistics.median(theirs):.3f} | {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
