"""Large TensorRT engines, for machines without a GPU: building against TensorRT's own floor, writing against cp.

usage: tensorrt_benchmark.py [--build build/release] [--folder build/bench] [--layers 13] [--width 8192] [--runs 3]
                             [--sparse-bytes 9000000000] [--skip-linear]
It needs TensorRT-RTX (`make setup-tensorrt`), about 20 GB of disk in the folder, which is emptied again, and 10 GB of memory.

- Building: a chain of products of matrices with weight streaming, into a .pte, into a .engine, and by bench/tensorrt_floor.cc,
  which is TensorRT's parser, builder and stream writer alone. Memory is the peak of RssAnon above the same with tiny matrices.
- Linear(32768, 32768), a single tensor of 4 GiB, the same way, without the floor.
- Writing: the engine taken out of a .pte, which writes an existing engine, and `cp --sparse=never --reflink=never` of its bytes, in
  turn, both with fsync. A .pte of ExecuTorch's own has no checksum; ours has one, which extract checks first.
- A made-up engine of 9 GB in a sparse .pte, taken out.
"""

import argparse
import os
import pathlib
import shutil
import statistics
import struct
import subprocess
import sys
import time

import onnx
import torch
from executorch.exir import to_edge
from executorch.exir.backend.backend_api import to_backend
from executorch.exir.backend.backend_details import BackendDetails, PreprocessResult
from torch import nn

sys.path.insert(0, os.path.dirname(__file__))
from measure import measure  # noqa: E402

MIB = 1 << 20
CAPABILITY = 86


class Chain(nn.Module):
    def __init__(self, layers, width):
        super().__init__()
        self.weights = nn.ParameterList([torch.rand(width, width) for _ in range(layers)])

    def forward(self, x):
        for weight in self.weights:
            x = x @ weight
        return x


def save(model, width, path):
    torch.export.save(torch.export.export(model.eval(), (torch.rand(16, width),)), path)


class Tools:
    def __init__(self, build, folder):
        self.slipway = os.path.join(build, "slipway")
        self.floor_program = os.path.join(build, "benchmarks/tensorrt_floor")
        self.folder = folder

    def compile(self, archive, output):
        options = ["--engine", "tensorrt", "--target", f"sm_{CAPABILITY}", "--weight-streaming", "--no-cache"]
        return measure([self.slipway, "compile", archive, "-o", output, *options])

    def floor(self, archive, output):
        model = self.folder / "floor.onnx"
        subprocess.run([self.slipway, "compile", archive, "-o", model], check=True, stdout=subprocess.DEVNULL)
        references = []
        for initializer in onnx.load(model, load_external_data=False).graph.initializer:
            places = {entry.key: entry.value for entry in initializer.external_data}
            if places:
                references.append(f"{initializer.name}:{places['offset']}:{places['length']}")
        data = f"{model}.data" if references else model
        measured = measure([self.floor_program, model, data, output, str(CAPABILITY), *references])
        for path in self.folder.glob("floor.onnx*"):
            path.unlink()
        return measured

    def extract(self, program, output):
        return measure([self.slipway, "extract", program, "-o", output])


def fsync(path):
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def building(tools, archive, tiny, with_floor):
    ways = {".pte": tools.compile, ".engine": tools.compile}
    if with_floor:
        ways["TensorRT alone"] = tools.floor
    print("| | time | memory above tiny | pages of files | written |")
    print("| --- | --- | --- | --- | --- |")
    for name, way in ways.items():
        output = tools.folder / ("floor.plan" if way == tools.floor else f"large{name}")
        base = way(tiny, tools.folder / f"tiny{output.suffix}")
        large = way(archive, output)
        memory = (large.peak_anon - base.peak_anon) / MIB
        row = f"{large.seconds:.1f} s | {memory:.0f} MiB | {large.peak_file / MIB:.0f} MiB | {output.stat().st_size:,} bytes"
        print(f"| {name} | {row} |", flush=True)
        if way == tools.floor:
            output.unlink()


def timed(action):
    """Seconds by the clock, and of the processors, which other work does not stretch."""
    before, start = os.times(), time.perf_counter()
    action()
    seconds, after = time.perf_counter() - start, os.times()
    spent = lambda times: times.user + times.system + times.children_user + times.children_system  # noqa: E731
    return seconds, spent(after) - spent(before)


def copy(source, target):
    subprocess.run(["cp", "--sparse=never", "--reflink=never", source, target], check=True)
    fsync(target)


def verify(tools, program):
    """Whatever this machine makes of the plan."""
    report = subprocess.run([tools.slipway, "verify", program], capture_output=True, text=True).stdout
    assert any(line.split()[:2] == ["checksums", "ok"] for line in report.splitlines()), report


def writing(tools, runs):
    program, engine, foreign, again = (
        tools.folder / name for name in ("large.pte", "large.engine", "large.foreign.pte", "again")
    )
    write_program(foreign, engine.stat().st_size, engine)
    extract = lambda source: subprocess.run([tools.slipway, "extract", source, "-o", again], check=True, stdout=subprocess.DEVNULL)  # noqa: E731
    ways = {
        "extract": lambda: extract(foreign),
        "extract with checksum": lambda: extract(program),
        "cp": lambda: copy(engine, again),
        "verify (reads only)": lambda: verify(tools, program),
    }
    taken = {name: [] for name in ways}
    for _ in range(runs):
        for name, way in ways.items():
            again.unlink(missing_ok=True)
            os.sync()
            taken[name].append(timed(way))
            if name.startswith("extract"):
                subprocess.run(["cmp", engine, again], check=True)
    base = tools.extract(tools.folder / "tiny.pte", again).peak_anon
    memory = (tools.extract(program, again).peak_anon - base) / MIB
    again.unlink()
    median = {name: [statistics.median(column) for column in zip(*rows)] for name, rows in taken.items()}
    print(f"writing {engine.stat().st_size:,} bytes, medians of {runs}; {memory:.1f} MiB above a tiny engine")
    print("| | time | cp's times | processor time | cp's times | all runs |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, (seconds, spent) in median.items():
        ratios = [seconds / median["cp"][0], spent / median["cp"][1]]
        runs = ", ".join(f"{clock:.2f}" for clock, _ in taken[name])
        print(f"| {name} | {seconds:.2f} s | {ratios[0]:.2f} | {spent:.2f} s | {ratios[1]:.2f} | {runs} |", flush=True)


class Double(nn.Module):
    def forward(self, x):
        return x + x


class TensorRTBackend(BackendDetails):
    """Its blobs are what the compile spec says."""

    @staticmethod
    def preprocess(program, specs):
        return PreprocessResult(processed_bytes=b"TR01" + bytes(12345))


def write_program(path, size, plan=None):
    """A program as ExecuTorch writes it, without checksums; its plan is a file's, or zeros but for the last byte."""
    header = struct.Struct("<4sIIIQ8s")
    edge = to_edge(torch.export.export(Double(), (torch.ones(2, 3),))).exported_program()
    content = bytearray(to_backend("TensorRTBackend", edge, []).buffer(extract_delegate_segments=True))
    said = b'{"io_bindings":[],"aliased_io":[],"hardware_compatible":false,"device_id":0,"serialized_metadata":"","target_platform":""}'
    start = -(-(header.size + len(said)) // 16) * 16
    blob_at = content.index(b"TR01")
    small, large = struct.pack("<Q", 4 + 12345), struct.pack("<Q", start + size)
    assert content.count(small) == 2  # in the table of segments and in the extended header
    del content[blob_at:]
    content = content.replace(small, large)
    content += header.pack(b"TR01", header.size, len(said), start, size, b"\x01") + said
    with open(path, "wb") as file:
        file.write(content)
        file.truncate(blob_at + start + size)
        if plan is None:
            file.seek(blob_at + start + size - 1)
            file.write(b"\xe5")
        else:
            file.seek(blob_at + start)
            with open(plan, "rb") as source:
                shutil.copyfileobj(source, file, 16 * MIB)


def sparse(tools, size):
    program, output = tools.folder / "sparse.pte", tools.folder / "sparse.engine"
    base = tools.extract(tools.folder / "tiny.pte", output).peak_anon
    write_program(program, size)
    measured = tools.extract(program, output)
    assert output.stat().st_size == size
    with open(output, "rb") as file:
        file.seek(size - 1)
        assert file.read() == b"\xe5"
    memory = (measured.peak_anon - base) / MIB
    print(f"a made-up engine of {size:,} bytes taken out: {measured.seconds:.1f} s, {memory:.1f} MiB above a tiny one", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--folder", default="build/bench")
    parser.add_argument("--layers", type=int, default=13)
    parser.add_argument("--width", type=int, default=8192)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--sparse-bytes", type=int, default=9_000_000_000)
    parser.add_argument("--skip-linear", action="store_true")
    options = parser.parse_args()
    folder = pathlib.Path(options.folder)
    folder.mkdir(parents=True)
    try:
        tools = Tools(options.build, folder)
        archive, tiny = folder / "large.pt2", folder / "tiny.pt2"
        save(Chain(options.layers, 8), 8, tiny)
        save(Chain(options.layers, options.width), options.width, archive)
        print(f"{options.layers} products with matrices of {options.width}x{options.width}")
        building(tools, archive, tiny, with_floor=True)
        archive.unlink()
        writing(tools, options.runs)
        for path in folder.glob("large.*"):
            path.unlink()
        sparse(tools, options.sparse_bytes)
        for path in folder.glob("sparse.*"):
            path.unlink()
        if not options.skip_linear:
            save(nn.Linear(4 * options.width, 4 * options.width), 4 * options.width, archive)
            print(f"Linear({4 * options.width}, {4 * options.width})")
            building(tools, archive, tiny, with_floor=False)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
