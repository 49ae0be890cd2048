"""Compile time and peak memory of `slipway compile --engine none` against ExecuTorch's exporter.

usage: compile_benchmark.py [--slipway build/release/slipway] [--runs 5]
Both compile the same archives, in turn, in one run. Memory is the peak above the same command's on a
tiny model.
"""

import argparse
import os
import re
import statistics
import sys
import tempfile

import torch
import torchvision

sys.path.insert(0, os.path.dirname(__file__))
from measure import measure  # noqa: E402

MIB = 1 << 20


def models():
    yield "tiny", torch.nn.Linear(4, 4), (torch.zeros(1, 4),)
    image = (torch.zeros(1, 3, 224, 224),)
    yield "resnet18", torchvision.models.resnet18(), image
    yield "vit_b_16", torchvision.models.vit_b_16(), image


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--slipway", default="build/release/slipway")
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    exporter = os.path.join(os.path.dirname(__file__), "executorch_export.py")

    rows = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, model, inputs in models():
            archive = os.path.join(folder, name + ".pt2")
            torch.export.save(torch.export.export(model.eval(), inputs), archive)
            size = os.path.getsize(archive)
            del model
            samples = {"slipway": [], "executorch": []}
            after_imports = []
            for _ in range(options.runs):
                samples["slipway"].append(
                    measure([options.slipway, "compile", archive, "-o", os.path.join(folder, "s.pte"), "--engine", "none"])
                )
                run = measure([sys.executable, exporter, archive, os.path.join(folder, "e.pte")])
                samples["executorch"].append(run)
                after_imports.append(float(re.search(r"seconds_after_imports=(\S+)", run.stdout)[1]))
            rows[name] = {
                "archive": size,
                "after_imports": statistics.median(after_imports),
                **{
                    tool: {
                        "seconds": statistics.median(r.seconds for r in runs),
                        "anon": max(r.peak_anon for r in runs),
                        "file": max(r.peak_file for r in runs),
                    }
                    for tool, runs in samples.items()
                },
            }

    print(f"medians of {options.runs} runs each, taken in turn; memory above the same command on a tiny model")
    print("| model | archive | slipway | exporter (process) | exporter (after imports) | slipway memory | exporter memory | mapped pages, slipway |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for name in ("resnet18", "vit_b_16"):
        row, tiny = rows[name], rows["tiny"]
        ours, theirs = row["slipway"], row["executorch"]
        our_memory = ours["anon"] - tiny["slipway"]["anon"]
        their_memory = theirs["anon"] - tiny["executorch"]["anon"]
        print(
            f"| {name} | {row['archive'] / MIB:.0f} MiB | {ours['seconds']:.2f} s "
            f"| {theirs['seconds']:.2f} s ({theirs['seconds'] / ours['seconds']:.0f}x) "
            f"| {row['after_imports']:.2f} s ({row['after_imports'] / ours['seconds']:.0f}x) "
            f"| {our_memory / MIB:.1f} MiB "
            f"| {their_memory / MIB:.0f} MiB ({their_memory / max(our_memory, 1):.0f}x) "
            f"| {ours['file'] / MIB:.0f} MiB |"
        )


if __name__ == "__main__":
    main()
