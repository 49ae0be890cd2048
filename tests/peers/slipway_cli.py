"""The tool's command line for tests: compiles exported programs and runs files."""

import json
import os
import pathlib
import subprocess

import numpy as np
import torch

TOOL = os.environ.get("SLIPWAY", str(pathlib.Path(__file__).parents[2] / "build/release/slipway"))


class ToolError(Exception):
    """The tool refused; the text is what it said."""


def call(*arguments):
    result = subprocess.run([TOOL, *map(str, arguments)], capture_output=True, text=True, timeout=600)
    if result.returncode != 0:
        raise ToolError(f"slipway {arguments[0]} ended with {result.returncode}: {result.stderr.strip()}")
    return result.stdout


def compile(program, folder, *options, engine="none"):
    """Saves the exported program in the folder and compiles it: the .pte file's path."""
    archive, compiled = pathlib.Path(folder, "model.pt2"), pathlib.Path(folder, "model.pte")
    torch.export.save(program, archive)
    call("compile", archive, "-o", compiled, "--engine", engine, "--no-cache", "--verify-passes", *options)
    return compiled


def run(file, inputs, folder, *options):
    """Runs the file on a flat list of tensors and literals: (flat outputs as arrays and literals, state by name).

    A mutated input's state is under "input.<position>".
    """
    folder = pathlib.Path(folder)
    arguments = []
    for position, value in enumerate(inputs):
        if isinstance(value, torch.Tensor):
            path = folder / f"input{position}.npy"
            array = value.detach().contiguous()
            np.save(path, array.view(torch.uint16).numpy() if array.dtype == torch.bfloat16 else array.numpy())
            text = str(path)
        else:
            text = "none" if value is None else json.dumps(value)
        arguments += ["--input", f"{position}={text}"]
    outputs, state = folder / "outputs", folder / "state"
    call("run", file, *arguments, "--output-dir", outputs, "--state-dir", state, *options)
    described = json.loads((outputs / "outputs.json").read_text())["outputs"]
    values = [
        np.load(outputs / output["file"]) if "file" in output else output["value"] for output in described
    ]
    return values, {path.stem: np.load(path) for path in sorted(state.glob("*.npy"))}


def inspect(file):
    """What `slipway inspect` says of the only method of a file."""
    [method] = json.loads(call("inspect", "--json", file))["methods"]
    return method


def check_one_partition(file):
    engines = inspect(file)["engines"]
    assert len(engines) == 1, f"{len(engines)} partitions: {engines}"
