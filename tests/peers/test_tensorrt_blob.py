"""The blob of TensorRT's delegate, transcribed from its documented layout, against ours in both directions."""

import json
import pathlib
import struct

import pytest
import torch
from executorch.exir import to_edge
from executorch.exir._serialize._flatbuffer_program import _flatbuffer_to_program
from executorch.exir._serialize._program import _get_extended_header
from executorch.exir.backend.backend_api import to_backend
from executorch.exir.backend.backend_details import BackendDetails, PreprocessResult
from executorch.exir.backend.compile_spec_schema import CompileSpec

import slipway_cli

DATA = pathlib.Path(__file__).parents[1] / "data"
HEADER = struct.Struct("<4sIIIQ8s")


def write_blob(metadata, plan):
    text = json.dumps(metadata, separators=(",", ":")).encode()
    start = -(-(HEADER.size + len(text)) // 16) * 16
    magic = b"TR02" if metadata.get("aliased_io") else b"TR01"
    header = HEADER.pack(magic, HEADER.size, len(text), start, len(plan), b"\x01")
    return (header + text).ljust(start, b"\0") + plan


def read_blob(blob):
    magic, offset, size, start, plan_size, reserved = HEADER.unpack_from(blob)
    metadata = json.loads(blob[offset : offset + size])
    assert magic == (b"TR02" if metadata["aliased_io"] else b"TR01")
    assert reserved == b"\x01" + bytes(7)
    assert start % 16 == 0 and not any(blob[offset + size : start])
    return metadata, blob[start : start + plan_size]


def binding(name, is_input, dtype="float32", shape=(2, 3)):
    return {"name": name, "dtype": dtype, "shape": list(shape), "is_input": is_input}


def metadata(*bindings, aliases=()):
    return {
        "io_bindings": list(bindings),
        "aliased_io": list(aliases),
        "hardware_compatible": bool(aliases),
        "device_id": 3,
        "serialized_metadata": 'a "text"\n',
        "target_platform": "linux_aarch64",
    }


CACHE = metadata(
    binding("x", True),
    binding("out_\u00e9\U0001f600\x7f", False, "float16", (-1, 3)),
    aliases=[{"output": "out_\u00e9\U0001f600\x7f", "input": "x", "kind": "kv_cache_update"}],
)
PLAIN = metadata(binding("x", True), binding("y", False))


class Double(torch.nn.Module):
    def forward(self, x):
        return x + x


class TensorRTBackend(BackendDetails):
    """Its blobs are what the compile spec says."""

    @staticmethod
    def preprocess(program, specs):
        return PreprocessResult(processed_bytes=specs[0].value)


def program_with(blob, path, **options):
    edge = to_edge(torch.export.export(Double(), (torch.ones(2, 3),))).exported_program()
    lowered = to_backend("TensorRTBackend", edge, [CompileSpec("blob", blob)])
    path.write_bytes(lowered.buffer(**options))
    return path


@pytest.mark.parametrize("in_segment", [True, False], ids=["segment", "inline"])
@pytest.mark.parametrize("said", [CACHE, PLAIN], ids=["TR02", "TR01"])
def test_theirs_is_read(said, in_segment, tmp_path):
    plan = bytes(range(256)) * 5
    file = program_with(write_blob(said, plan), tmp_path / "theirs.pte", extract_delegate_segments=in_segment)
    [engine] = slipway_cli.inspect(file)["engines"]
    assert engine["tensorrt"] == said
    assert list(engine["tensorrt"]) == list(said)
    assert "TensorRT plan for GPU 3 of linux_aarch64" in slipway_cli.call("inspect", file)
    slipway_cli.call("extract", file, "-o", tmp_path / "x.engine")
    assert (tmp_path / "x.engine").read_bytes() == plan


def test_what_they_could_not_read_is_refused(tmp_path):
    blob = write_blob(PLAIN, b"plan")
    file = program_with(blob[:-1], tmp_path / "cut.pte")
    assert "is not within" in slipway_cli.inspect(file)["engines"][0]["tensorrt"]["error"]
    with pytest.raises(slipway_cli.ToolError, match="engine 0 of .*cut.pte: its plan"):
        slipway_cli.call("extract", file, "-o", tmp_path / "x.engine")


def test_ours_is_the_same():
    ours = (DATA / "tensorrt/aliased.blob").read_bytes()
    said, plan = read_blob(ours)
    assert plan == b"the plan of an engine"
    assert write_blob(said, plan) == ours
    assert said["aliased_io"] == [{"output": "out_k", "input": "in_k", "kind": "kv_cache_update"}]


def test_ours_is_read_from_a_program():
    file = DATA / "runtime/tensorrt.pte"
    [shown] = slipway_cli.inspect(file)["engines"]
    content = file.read_bytes()
    header = _get_extended_header(content)
    program = _flatbuffer_to_program(content[: header.program_size])
    [delegate] = program.execution_plan[0].delegates
    assert delegate.id == "TensorRTBackend"
    assert {spec.key: bytes(spec.value) for spec in delegate.compile_specs} == {"target_device": b"cuda:0"}

    def read_segment(index):
        segment = program.segments[index]
        start = header.segment_base_offset + segment.offset
        said, plan = read_blob(content[start : start + segment.size])
        assert said == shown["tensorrt"]
        assert write_blob(said, plan) == content[start : start + segment.size]
        return plan

    assert read_segment(delegate.processed.index) == b"a plan"
    named = {entry.key: entry.segment_index for entry in program.named_data}
    key = f"slipway.engine.{shown['sha256'][:16]}.sm_120"
    assert read_segment(named[key]) == b"a plan for newer machines"
