"""Writes the archives of this folder: programs that call engines as Torch-TensorRT puts them there, with plans of the
stand-in for TensorRT, and what PyTorch computes. Needs torch 2.14 (the environment of tests/peers).

usage: .deps/peers/bin/python tests/data/engines/make_archives.py
"""

import base64
import pathlib

import numpy as np
import torch
from torch import nn

FOLDER = pathlib.Path(__file__).parent


def plan(lines):
    """A plan of the stand-in for TensorRT (tests/tensorrt/stand_in_runtime.h)."""
    text = "slipway stand-in plan for sm_86".ljust(63) + "\n" + "\n".join(lines) + "\n"
    return torch.frombuffer(bytearray(text.encode()), dtype=torch.uint8)


SCHEMA = (
    "no_op_placeholder_for_execute_engine(Tensor[] inputs, str abi_version, str name, str serialized_device_info, "
    "Tensor serialized_engine, str serialized_in_binding_names, str serialized_out_binding_names, "
    "str serialized_hardware_compatible, str serialized_metadata, str serialized_target_platform, "
    "str serialized_require_output_allocator, str serialized_resource_allocation_strategy, "
    "str serialized_requires_native_multidevice, str serialized_aliased_io) -> Tensor[]"
)


def call(inputs, engine, names, compute, aliases="", abi="10", platform="linux_x86_64", metadata=b"meta"):
    given, got = names
    call.compute = compute
    metadata = base64.b64encode(metadata).decode()
    return torch.ops.tensorrt.no_op_placeholder_for_execute_engine(
        inputs, abi, "engine", "0%8%6%0%NVIDIA RTX A6000", engine, given, got, "1", metadata, platform, "0", "0", "0", aliases
    )


class Partial(nn.Module):
    """An engine of three results, of which the middle one is not used, between operators of PyTorch's own."""

    def __init__(self):
        super().__init__()
        lines = ["input x float32 1..16 4", "input y float32 1..16 5", "output a x 3 1", "output b y 1 0", "output c y -1 0.5"]
        self.register_buffer("_trt_engine_0", plan(lines))

    def forward(self, x, y):
        compute = lambda a, b: [a * 3 + 1, b.clone(), b * -1 + 0.5]  # noqa: E731
        first, _, last = call([x * 2, y], self._trt_engine_0, ("x%y", "a%b%c"), compute)
        return first + 1, last.relu()


class Cache(nn.Module):
    """An engine that updates a buffer in its place."""

    def __init__(self):
        super().__init__()
        self.register_buffer("cache", torch.arange(6.0).view(2, 3))
        lines = ["input cache float32 2 3", "input x float32 3", "output updated cache 1 10", "output y x 2 0"]
        self.register_buffer("_trt_engine_0", plan(lines))

    def forward(self, x):
        compute = lambda a, b: [a + 10, b * 2]  # noqa: E731
        updated, y = call([self.cache, x], self._trt_engine_0, ("cache%x", "updated%y"), compute, "updated@cache@kv_cache_update")
        self.cache.copy_(updated)
        return y


class Records(nn.Module):
    """Three engines: of another version of Slipway, for another machine, and of an ABI that is not there yet."""

    def __init__(self):
        super().__init__()
        for i in range(3):
            self.register_buffer(f"_trt_engine_{i}", plan(["input x float32 3", f"output y x {i + 1} 0"]))

    def forward(self, x):
        compute = lambda a: [a.clone()]  # noqa: E731
        # {"slipway": [...]}, with the opcodes that Slipway writes.
        text = lambda t: b"X" + len(t).to_bytes(4, "little") + t.encode()  # noqa: E731
        said = [text(each) for each in ("slipway 0.0.1", "TensorRT 10.0.0", "sm_86")]
        note = b"\x80\x04}(" + text("slipway") + b"](" + b"".join(said) + b"eu."
        [x] = call([x], self._trt_engine_0, ("x", "y"), compute, metadata=note)
        [x] = call([x], self._trt_engine_1, ("x", "y"), compute, platform="windows_x86_64")
        [x] = call([x], self._trt_engine_2, ("x", "y"), compute, abi="11")
        return x


def save(program, name):
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # it names this machine's folders
    torch.export.save(program, FOLDER / name)


def main():
    batch = torch.export.Dim("batch", min=1, max=16)
    with torch.library._scoped_library("tensorrt", "DEF") as library:
        library.define(SCHEMA)
        for key in ("Meta", "CPU"):
            library.impl("no_op_placeholder_for_execute_engine", lambda inputs, *rest: call.compute(*inputs), key)
        inputs = (torch.arange(12.0).view(3, 4) - 4, torch.arange(15.0).view(3, 5) - 7)
        save(torch.export.export(Partial(), inputs, dynamic_shapes=({0: batch}, {0: batch})), "partial.pt2")
        for kind, tensors in (("in", inputs), ("out", Partial()(*inputs))):
            for i, tensor in enumerate(tensors):
                np.save(FOLDER / f"partial.{kind}{i}.npy", tensor.numpy())
        save(torch.export.export(Records(), (torch.ones(3),)), "records.pt2")
        save(torch.export.export(Cache(), (torch.ones(3),)).run_decompositions(), "cache.pt2")


if __name__ == "__main__":
    main()
