"""Programs with engines as Torch-TensorRT has them: engines that the real TensorRT-RTX builds, loaded by PyTorch with
Torch-TensorRT's operators registered. In place of TensorRT, ONNX Runtime computes what it was given."""

import base64
import copy
import hashlib
import json
import os
import pathlib
import pickle
import pickletools
import re
import resource
import subprocess
import sys
import zipfile

import pytest
import torch
import torch.ao.quantization.fx._decomposed  # registers operators of quantized archives
from torch import nn

import slipway_cli
import torch_tensorrt_program
from test_onnx import HALF_TOLERANCE
from test_tensorrt import GOLDEN, GOLDEN_FILES
from test_tensorrt_kv_cache import CASES as DECODERS
from test_tensorrt_kv_cache import export as export_decoder

LIBRARY = torch_tensorrt_program.register()


class Mixed(nn.Module):
    """What stays outside is given a tensor that lies in memory otherwise than its sizes say."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(4, 6)
        self.second = nn.Linear(6, 3)

    def forward(self, x):
        y = self.first(x).relu()
        y = y.permute(0, 2, 1).contiguous().view(-1, 6)
        return self.second(y), y


class State(nn.Module):
    """A counter, a buffer that nothing reads, tied weights, a weight and an input that are outputs, and one twice."""

    def __init__(self):
        super().__init__()
        self.a = nn.Linear(3, 3)
        self.b = nn.Linear(3, 3)
        self.b.weight = self.a.weight
        self.register_buffer("count", torch.zeros(3))
        self.register_buffer("unread", torch.ones(2))
        self.register_buffer("table", torch.ones(3), persistent=False)

    def forward(self, x, *, scale):
        before = self.count.clone()
        self.count.add_(1)
        y = self.b(self.a(x) * scale)
        return {"y": y, "again": y, "before": before, "after": self.count + self.table, "x": x, "weight": self.a.weight}


class Sizes(nn.Module):
    """The sizes of an engine's results are expressions."""

    def forward(self, x):
        return torch.cat([x, x + 1], dim=0).reshape(-1, 2).tanh()


class Attribute(nn.Module):
    """An output that only constants decide about."""

    def forward(self, x):
        return x.relu(), torch.arange(4.0)


class Trees(nn.Module):
    """Arguments by name, and values that nest."""

    def forward(self, x, pair, *, scale, more):
        y = x * scale + pair[0] - pair[1]
        return {"sum": y, "parts": [y.sin(), more["a"] * 2], "given": (more["b"],)}


class Wide(nn.Module):
    """Two sizes that change, and one that does not."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 3)

    def forward(self, x, y):
        return (self.linear(x) + y).relu(), x.transpose(0, 1) + 1


class InPlace(nn.Module):
    """The caller's own cache."""

    def forward(self, cache, x):
        cache.add_(x.relu())
        return cache * 2


BATCH = torch.export.Dim("batch", min=1, max=8)
LENGTH = torch.export.Dim("length", min=2, max=16)
PROGRAMS = {
    # Model, arguments, keyword arguments, dynamic shapes, operators that stay outside.
    "mixed": (Mixed(), (torch.randn(2, 6, 4),), {}, ({0: BATCH},), ("aten.permute", "aten.view")),
    "state": (State(), (torch.randn(2, 3),), {"scale": torch.tensor(2.0)}, None, ("aten.mul",)),
    "sizes": (Sizes(), (torch.randn(3, 4),), {}, ({0: BATCH},), ("aten.tanh",)),
    "attribute": (Attribute(), (torch.randn(2, 3),), {}, None, ()),
    "trees": (
        Trees(),
        (torch.randn(2, 3), (torch.randn(3), torch.randn(3))),
        {"scale": torch.tensor(2.0), "more": {"b": torch.randn(1), "a": torch.randn(2)}},
        None,
        ("aten.sin",),
    ),
    "wide": (Wide(), (torch.randn(3, 5, 4), torch.randn(5, 3)), {}, ({0: BATCH, 1: LENGTH}, {0: LENGTH}), ("aten.relu",)),
    "in_place": (InPlace(), (torch.randn(2, 3), torch.randn(2, 3)), {}, None, ("aten.relu",)),
    "whole": (nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()), (torch.randn(1, 3, 8, 8),), {}, None, ()),
    "channels_last": (
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()),
        (torch.randn(1, 3, 8, 8).contiguous(memory_format=torch.channels_last),),
        {},
        None,
        ("aten.relu",),
    ),
}


def export(name, dialect, folder):
    model, args, kwargs, dynamic_shapes, outside = PROGRAMS[name]
    if dynamic_shapes is not None:
        kwargs = kwargs or None
    program = torch.export.export(model.eval(), args, kwargs, dynamic_shapes=dynamic_shapes)
    if dialect == "core":
        program = program.run_decompositions()
    torch.export.save(program, folder / "model.pt2", extra_files={"note.txt": "kept"})
    return folder / "model.pt2", outside


def build(archive, file, *options, outside=()):
    """The archive with engines, and what TensorRT was given for each."""
    dumped = file.parent / (file.stem + "_partitions")
    excluded = [word for op in outside for word in ("--exclude-op", op)]
    slipway_cli.call(
        "compile", archive, "-o", file, "--engine", "tensorrt", "--target", "sm_86", "--no-cache", "--verify-passes",
        "--dump-partitions", dumped, *excluded, *options
    )
    torch_tensorrt_program.models.clear()
    for i, path in enumerate(sorted(dumped.glob("*.onnx"))):
        torch_tensorrt_program.models[f"_run_on_acc_{i}_engine"] = path
    return file


def engines_in(file):
    described = json.loads(slipway_cli.call("inspect", "--json", file))
    return described["engines"] if described["kind"] == "pt2" else described["methods"][0]["engines"]


def record(file, ending):
    with zipfile.ZipFile(file) as archive:
        assert archive.testzip() is None
        [name] = [name for name in archive.namelist() if name.endswith(ending)]
        return archive.read(name)


def flat(value):
    return torch.utils._pytree.tree_leaves(value)


def check_equal(got, expected):
    assert len(got) == len(expected)
    for a, b in zip(got, expected):
        assert a.shape == b.shape and a.dtype == b.dtype
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)


class Strides(torch.fx.Interpreter):
    """Tensors lie in memory as the program says."""

    def run_node(self, node):
        result = super().run_node(node)
        said = node.meta.get("val")
        if isinstance(result, torch.Tensor) and node.op != "placeholder":
            said = [int(n) if isinstance(n, int) else None for n in said.stride()]
            for size, stride, own in zip(result.shape, said, result.stride(), strict=True):
                assert size < 2 or stride in (None, own), f"{node.format_node()}: {said}, and not {result.stride()}"
        return result


def check_strides(program, args, kwargs):
    given = iter(flat((args, kwargs)))
    stored = {**program.constants, **program.state_dict}
    inputs = [next(given) if spec.target is None else stored[spec.target] for spec in program.graph_signature.input_specs]
    Strides(program.graph_module).run(*copy.deepcopy(inputs))


def calls(program):
    targets = ("execute_engine", "no_op_placeholder_for_execute_engine")
    return [node for node in program.graph.nodes if getattr(node.target, "_opname", "") in targets]


@pytest.mark.parametrize("form", [(), ("--cross-compile",)], ids=["object", "placeholder"])
@pytest.mark.parametrize("dialect", ["training", "core"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_pytorch_computes_the_same(name, dialect, form, tmp_path):
    torch.manual_seed(0)
    archive, outside = export(name, dialect, tmp_path)
    file = build(archive, tmp_path / "engines.pt2", *form, outside=outside)
    extra = {"note.txt": ""}
    program = torch.export.load(file, extra_files=extra)
    assert extra["note.txt"] == "kept"
    assert len(calls(program)) == len(torch_tensorrt_program.models) > 0
    _, args, kwargs, _, _ = PROGRAMS[name]
    for each in (lambda: torch.export.load(archive), lambda: torch.export.load(file)):
        assert each().call_spec == program.call_spec
    reference, module = torch.export.load(archive).module(), program.module()
    modules = [module, torch.export.load(file).run_decompositions().module()]
    # PyTorch unflattens no programs with objects of Python's classes.
    if form:
        modules.append(torch.export.unflatten(torch.export.load(file)))
    for _ in range(2):
        given = copy.deepcopy((args, kwargs))
        expected = reference(*given[0], **given[1])
        for each in modules:
            own = copy.deepcopy((args, kwargs))
            result = each(*own[0], **own[1])
            check_equal(flat(own), flat(given))
            assert torch.utils._pytree.tree_structure(result) == torch.utils._pytree.tree_structure(expected)
            check_equal(flat(result), flat(expected))
    state = dict(reference.named_buffers())
    for key, value in module.named_buffers():
        if not key.startswith("_trt_engine_"):
            check_equal([value], [state[key]])
    if form:
        check_strides(torch.export.load(file), args, kwargs)
    # Written by PyTorch again, and read by Slipway.
    torch.export.save(torch.export.load(file), tmp_path / "again.pt2")
    [engine, *_] = engines_in(tmp_path / "again.pt2")
    assert engine["target"] == "sm_86" and engine["library_version"] == "TensorRT-RTX 1.7.1"


@pytest.mark.parametrize("size", [(), ("--min-partition-size", "100000")], ids=["engines", "outside"])
@pytest.mark.parametrize("name, dialect", GOLDEN_FILES)
def test_archives_compute_the_same(name, dialect, size, tmp_path):
    """With as much as there is in engines, and with nothing there."""
    archive = GOLDEN / GOLDEN_FILES[name, dialect]
    source = torch.export.load(archive)
    program = torch.export.load(build(archive, tmp_path / "engines.pt2", *size))
    assert not size or not calls(program)
    reference, module = source.module(), program.module()
    args, kwargs = source.example_inputs
    for _ in range(2):
        expected, got = (flat(each(*copy.deepcopy(args), **copy.deepcopy(kwargs))) for each in (reference, module))
        assert len(got) == len(expected)
        for a, b in zip(got, expected):
            if isinstance(b, torch.Tensor):
                tolerance = HALF_TOLERANCE.get(name, 1e-4)
                torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance, equal_nan=True)
            else:
                assert a == b


@pytest.mark.parametrize("form", [(), ("--cross-compile",)], ids=["object", "placeholder"])
def test_inputs_are_in_pytorchs_order(form, tmp_path):
    archive, outside = export("state", "training", tmp_path)
    program = torch.export.load(build(archive, tmp_path / "engines.pt2", *form, outside=outside))
    kinds = [spec.kind.name for spec in program.graph_signature.input_specs]
    order = ["PARAMETER", "BUFFER", "CONSTANT_TENSOR", "CUSTOM_OBJ", "USER_INPUT"]
    assert kinds == sorted(kinds, key=order.index)
    assert [node.name for node in program.graph.nodes if node.op == "placeholder"] == [
        spec.arg.name for spec in program.graph_signature.input_specs
    ]
    outputs = [spec.kind.name for spec in program.graph_signature.output_specs]
    assert outputs == ["BUFFER_MUTATION"] + ["USER_OUTPUT"] * 6
    assert program.graph_signature.buffers_to_mutate.keys() == {program.graph_signature.output_specs[0].arg.name}
    assert "unread" not in program.graph_signature.buffers
    objects = list(program.graph_signature.lifted_custom_objs)
    engines = [name for name in program.graph_signature.buffers if name.startswith("_trt_engine_")]
    count = len(torch_tensorrt_program.models)
    assert objects == ([] if form else [f"_run_on_acc_{i}_engine" for i in range(count)])
    assert engines == ([f"_trt_engine_{i}" for i in range(count)] if form else [])


def test_a_plan_is_a_buffer_of_the_host(tmp_path):
    archive, _ = export("whole", "core", tmp_path)
    file = build(archive, tmp_path / "engines.pt2", "--cross-compile")
    program = torch.export.load(file)
    slipway_cli.call("extract", file, "--engine", "0", "-o", tmp_path / "plan")
    buffer = program.state_dict["_trt_engine_0"]
    assert bytes(buffer.numpy()) == (tmp_path / "plan").read_bytes()
    assert buffer.dtype == torch.uint8 and buffer.device.type == "cpu" and not buffer.requires_grad
    [node] = calls(program)
    assert node.args[1:4] == ("10", "_run_on_acc_0_engine", "0%8%6%0%")
    assert node.args[6:8] == ("output", "0") or node.args[7] == "0"
    assert node.args[9:] == ("linux_x86_64", "0", "0", "0", "")


@pytest.mark.skipif("SLIPWAY_LARGE_TESTS" not in os.environ, reason="SLIPWAY_LARGE_TESTS has it take 16 GiB of disk and 6 of memory")
def test_a_plan_of_five_gib_is_a_tensor_of_pytorchs(tmp_path):
    size, step = (5 << 30) + 16, 1 << 24
    source, file, program = tmp_path / "source.pt2", tmp_path / "engines.pt2", tmp_path / "model.pte"
    golden = GOLDEN / "engine_noop_tensor_slot.pt2"
    with zipfile.ZipFile(golden) as small, zipfile.ZipFile(source, "w") as large:
        for entry in small.infolist():
            content = small.read(entry)
            if entry.filename.endswith(".json"):
                content = content.replace(b'"sizes": [{"as_int": 16}]', b'"sizes": [{"as_int": %d}]' % size)
            with large.open(entry.filename, "w", force_zip64=True) as stream:
                if len(content) == 16 and entry.filename.endswith("weight_0"):
                    for at in range(0, size, step):
                        # A number at the start of each piece, and zeros.
                        stream.write((at.to_bytes(8, "little") + bytes(step - 8))[: size - at])
                else:
                    stream.write(content)

    def within_limits():
        resource.setrlimit(resource.RLIMIT_DATA, (64 << 20, 64 << 20))

    for output, form in ((file, ("--engine", "tensorrt", "--cross-compile")), (program, ("--engine", "none"))):
        command = [slipway_cli.TOOL, "compile", source, "-o", output, "--no-cache", *form]
        done = subprocess.run(command, preexec_fn=within_limits, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert size < output.stat().st_size < size + (2 << 20)
    source.unlink()
    [engine] = engines_in(program)
    assert engine["size"] == size
    buffer = torch.export.load(file).state_dict["_trt_engine_0"]
    assert buffer.shape == (size,) and buffer.dtype == torch.uint8
    for at in range(0, size, step):
        piece = buffer[at : at + step]
        assert bytes(piece[:8].numpy()) == at.to_bytes(8, "little") and not piece[8:].any()


@pytest.mark.parametrize("abi, items", [("7", 10), ("8", 11), ("9", 12), ("10", 13)])
def test_an_object_is_a_pickle(abi, items, tmp_path):
    archive, _ = export("sizes", "core", tmp_path)
    file = build(archive, tmp_path / "engines.pt2", "--torch-tensorrt-abi", abi)
    content = record(file, "data/constants/opaque_obj_0" if abi == "10" else "data/constants/custom_obj_0")
    if abi != "10":
        (tmp_path / "object.zip").write_bytes(content)
        content = record(tmp_path / "object.zip", "archive/data.pkl")
        assert record(tmp_path / "object.zip", "archive/version") == b"3\n"
    opcodes = list(pickletools.genops(content))
    assert max(opcode.proto for opcode, _, _ in opcodes) <= (4 if abi == "10" else 2)
    names = [argument for opcode, argument, _ in opcodes if opcode.name == "GLOBAL"]
    texts = [argument for opcode, argument, _ in opcodes if opcode.name == "BINUNICODE"]
    if abi == "10":
        assert names == [torch_tensorrt_program.MODULE + " _reconstruct_trt_engine"]
    else:
        assert names == ["__torch__.torch.classes.tensorrt Engine", "torch.jit._pickle restore_type_tag"]
        assert texts.pop() == "List[str]"
    assert len(texts) == items and texts[0] == abi
    slipway_cli.call("extract", file, "--engine", "0", "-o", tmp_path / "plan")
    assert base64.b64decode(texts[3], validate=True) == (tmp_path / "plan").read_bytes()
    metadata = pickle.loads(base64.b64decode(texts[7]))
    assert metadata["output_tensors_are_unowned"] is False
    [given], [got] = metadata["inout_symexprs"]["inputs"], metadata["inout_symexprs"]["outputs"]
    symbol = next(iter(torch.export.load(archive).range_constraints))
    assert given["shape_exprs"] == [symbol, 4] and got["shape_exprs"] == [symbol * 4, 2]
    version, library, target = metadata["slipway"]
    assert version.startswith("slipway ") and library == "TensorRT-RTX 1.7.1" and target == "sm_86"


def test_torch_tensorrts_own_code_reads_them(tmp_path):
    """Its operators, its shape propagation, and the constructors of its two runtimes, which then ask for a GPU."""
    archive, outside = export("sizes", "core", tmp_path)
    files = [tmp_path / "placeholder.pt2", tmp_path / "object.pt2"]
    build(archive, files[0], "--cross-compile", outside=outside)
    build(archive, files[1], outside=outside)
    script = pathlib.Path(__file__).with_name("torch_tensorrt_runtime.py")
    tensorrt = pathlib.Path(__file__).parents[2] / ".deps/tensorrt-rtx/libtensorrt_rtx.so.1"
    done = subprocess.run([sys.executable, script, tensorrt, *files], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["schemas"] == {
        "execute_engine": "tensorrt::execute_engine(Tensor[] input_tensors, __torch__.torch.classes.tensorrt.Engine engine)"
        " -> Tensor[]",
        "no_op_placeholder_for_execute_engine": "tensorrt::" + torch_tensorrt_program.PLACEHOLDER,
    }
    [symbol] = torch.export.load(archive).range_constraints
    assert told["shapes"] == [[[f"4*{symbol}", "2"]]] * 2
    slipway_cli.call("extract", files[1], "--engine", "0", "-o", tmp_path / "plan")
    assert told["read"] == {
        "version": "10",
        "name": "_run_on_acc_0_engine",
        "serialized_device_info": "0%8%6%0%",
        "in_binding_names": ["x"],
        "out_binding_names": ["view"],
        "hardware_compatible": False,
        "serialized_target_platform": "linux_x86_64",
        "requires_output_allocator": False,
        "resource_allocation_strategy": 0,
        "requires_native_multidevice": False,
        "aliased_io": {},
        "target_device_id": 0,
        "engine": (tmp_path / "plan").stat().st_size,
        "outputs": [[f"4*{symbol}", "2"]],
    }
    # The C++ runtime has read the record before it asks for the driver: a damaged one is another error.
    assert "Unable to deserializable program target device" in told["cpp_damaged"]
    if not torch.cuda.is_available():
        assert "CUDA driver" in told["cpp"] and "no NVIDIA driver" in told["python"]


@pytest.mark.parametrize("form", [(), ("--cross-compile",), ("--torch-tensorrt-abi", "7")])
def test_engines_go_on_without_being_built(form, tmp_path):
    archive, outside = export("mixed", "training", tmp_path)
    file = build(archive, tmp_path / "engines.pt2", *form, outside=outside)
    slipway_cli.call("compile", file, "-o", tmp_path / "model.pte", "--engine", "none")
    engines = engines_in(tmp_path / "model.pte")
    assert len(engines) == len(torch_tensorrt_program.models)
    for i, engine in enumerate(engines):
        slipway_cli.call("extract", file, "--engine", i, "-o", tmp_path / "plan")
        assert hashlib.sha256((tmp_path / "plan").read_bytes()).hexdigest() == engine["sha256"]
        assert engine["library_version"] == "TensorRT-RTX 1.7.1" and engine["target"] == "sm_86"
    # And into the other form.
    other = ["--exclude-op", "aten.permute", "--exclude-op", "aten.reshape"] + ([] if form else ["--cross-compile"])
    slipway_cli.call("compile", file, "-o", tmp_path / "other.pt2", "--engine", "tensorrt", *other)
    again = engines_in(tmp_path / "other.pt2")
    assert [engine["sha256"] for engine in again] == [engine["sha256"] for engine in engines]


def test_the_last_line_counts_engines(tmp_path):
    archive, outside = export("mixed", "training", tmp_path)
    excluded = [word for op in outside for word in ("--exclude-op", op)]
    told = slipway_cli.call("compile", archive, "-o", tmp_path / "e.pt2", "--engine", "tensorrt", "--target", "sm_86", *excluded)
    assert re.search(r"nodes became [0-9]+; 2 engines of [0-9.]+ KiB, file ", told), told


def test_the_same_program_gives_the_same_bytes(tmp_path):
    archive, outside = export("mixed", "training", tmp_path)
    before = archive.read_bytes()
    files = [build(archive, tmp_path / f"{i}.pt2", outside=outside).read_bytes() for i in range(2)]
    assert files[0] == files[1] and archive.read_bytes() == before


@pytest.mark.parametrize("name", ["copied_one", "put_from_the_front", "copied_anywhere"])
def test_a_cache_is_a_declared_mutation(name, tmp_path):
    archive, in_place = export_decoder(name, tmp_path, "training")
    file = build(archive, tmp_path / "engines.pt2")
    program = torch.export.load(file)
    outputs = program.graph_signature.output_specs
    assert [spec.kind.name for spec in outputs] == ["BUFFER_MUTATION"] * 2 + ["USER_OUTPUT"]
    assert [spec.target for spec in outputs[:2]] == ["keys", "values"]
    [engine] = program.constants.values()
    assert len(engine.record.aliases) == (2 if in_place else 0)
    copied = [node for node in program.graph.nodes if node.target == torch.ops.aten.clone.default]
    assert not copied, "no copy of a cache, nor of what does not lie in one"
    _, length, steps, _ = DECODERS[name]
    module, reference = program.module(), torch.export.load(archive).module()
    for arguments in steps:
        x = torch.randn(1, length, 16)
        check_equal([module(x, *arguments)], [reference(x, *arguments)])
        check_equal([module.keys, module.values], [reference.keys, reference.values])


CROSS = ("--target", "sm_86", "--cross-compile", "--platform")


@pytest.mark.parametrize(
    "options, problem",
    [
        (("--engine", "openvino"), "--engine tensorrt"),
        ((), "--engine tensorrt"),
        (("--engine", "tensorrt", "--platform", "windows_x86_64"), "goes with --cross-compile"),
        (("--engine", "tensorrt", "--platform", "amiga", "--cross-compile"), "expected one of linux_x86_64"),
        (("--engine", "tensorrt", *CROSS, "windows_x86_64"), "does not build for Windows"),
        (("--engine", "tensorrt", *CROSS, "linux_aarch64"), "TensorRT builds for linux_x86_64"),
        (("--engine", "tensorrt", "--torch-tensorrt-abi", "6"), "expected one of 7, 8, 9, 10"),
        (("--engine", "tensorrt", "--torch-tensorrt-abi", "8", "--cross-compile"), "since ABI 9"),
        (("--engine", "tensorrt", "--weight-streaming-budget", "1MB"), "no effect on an archive"),
        (("--engine", "tensorrt", "--target", "sm_80", "--target", "sm_86"), "one target"),
    ],
)
def test_what_is_refused(options, problem, tmp_path):
    archive, _ = export("whole", "core", tmp_path)
    with pytest.raises(slipway_cli.ToolError, match=problem):
        slipway_cli.call("compile", archive, "-o", tmp_path / "engines.pt2", "--no-cache", *options)
    assert not (tmp_path / "engines.pt2").exists()


def test_options_of_archives_do_nothing_elsewhere(tmp_path):
    archive, _ = export("whole", "core", tmp_path)
    with pytest.raises(slipway_cli.ToolError, match="--cross-compile.* has no effect on a .pte file"):
        slipway_cli.call("compile", archive, "-o", tmp_path / "model.pte", "--engine", "tensorrt", "--cross-compile")
