"""Engines that the real TensorRT-RTX builds, without a GPU: what becomes one, and that the same becomes the same bytes. What
they compute is checked in test_onnx.py, by what TensorRT is given."""

import hashlib
import json
import pathlib
import subprocess

import pytest
import torch
from executorch.exir._serialize._flatbuffer_program import _flatbuffer_to_program
from executorch.exir._serialize._program import _get_extended_header
from torch import nn

import slipway_cli
from test_models import MODELS
from test_tensorrt_blob import read_blob, write_blob

ROOT = pathlib.Path(__file__).parents[2]
GOLDEN = ROOT / "tests/data/golden"
VERSION = 10701  # of TensorRT-RTX, in tools/requirements-tensorrt.txt


def compile(archive, file, *options, target="sm_86", cache=None):
    cached = ("--no-cache",) if cache is None else ("--cache", cache)
    slipway_cli.call("compile", archive, "-o", file, "--engine", "tensorrt", "--target", target, *cached, *options)
    return file


def save(model, inputs, folder, **options):
    torch.manual_seed(0)
    program = torch.export.export(model.eval(), inputs, **options)
    torch.export.save(program, folder / "model.pt2")
    return folder / "model.pt2"


GOLDEN_FILES = {
    (name, dialect): file
    for name, entry in json.loads((GOLDEN / "manifest.json").read_text())["models"].items()
    if not name.startswith(("engine_", "complex_"))  # they hold engines already; TensorRT has no complex numbers
    for dialect, file in entry["files"].items()
}
# What stays on kernels, by operator; all of the rest is one engine.
OUTSIDE = {
    # One of float64.
    ("scalars", "training"): {"aten.to.dtype"},
    ("scalars", "core"): {"aten._to_copy.default"},
    ("nonzero_item", "training"): {"aten.nonzero.default", "aten.item.default", "aten.zeros.default"},
    ("nonzero_item", "core"): {"aten.nonzero.default", "aten._local_scalar_dense.default", "aten.full.default"},
    # A projected LSTM.
    ("recurrent_loop", "training"): {"aten.lstm.input"},
    ("while_loop", "training"): {"higher_order.while_loop"},
    ("while_loop", "core"): {"higher_order.while_loop"},
}
# Loops cut these in two engines, or leave none.
LOOPS = {"scan": ("higher_order.scan", 2), "map": ("higher_order.map_impl", 0)}


def check_one_engine(file, outside=frozenset()):
    method = slipway_cli.inspect(file)
    assert {node["op"] for node in method["outside"]} == outside
    assert all(node["reason"] for node in method["outside"])
    [engine] = method["engines"]
    assert engine["backend"] == "TensorRTBackend"
    assert engine["library_version"] == "TensorRT-RTX 1.7.1"
    assert engine["target"] == "sm_86"
    return engine


@pytest.mark.parametrize("name, dialect", [key for key in GOLDEN_FILES if key[0] not in LOOPS])
def test_archives_become_one_engine(name, dialect, tmp_path):
    file = compile(GOLDEN / GOLDEN_FILES[name, dialect], tmp_path / "model.pte", "--verify-passes")
    check_one_engine(file, OUTSIDE.get((name, dialect), set()))


@pytest.mark.parametrize("name, dialect", [key for key in GOLDEN_FILES if key[0] in LOOPS])
def test_loops_stay_outside(name, dialect, tmp_path):
    operator, engines = LOOPS[name]
    method = slipway_cli.inspect(compile(GOLDEN / GOLDEN_FILES[name, dialect], tmp_path / "model.pte"))
    assert {node["op"] for node in method["outside"]} == {operator}
    assert len(method["engines"]) == engines


@pytest.mark.parametrize("name", MODELS)
def test_models_become_one_engine(name, tmp_path):
    torch.manual_seed(0)
    archive = save(*MODELS[name](), tmp_path)
    check_one_engine(compile(archive, tmp_path / "model.pte"))


class Seed(nn.Module):
    """Engine, kernel, engine where cos is excluded."""

    def forward(self, x):
        return torch.cos((x + 1) * 2) * 3 + 4


class Perceptron(nn.Module):
    def __init__(self):
        super().__init__()
        self.wide, self.narrow = nn.Linear(4, 300), nn.Linear(300, 7)

    def forward(self, x):
        return self.narrow(torch.tanh(self.wide(x)))


@pytest.fixture
def archive(tmp_path):
    return save(Perceptron(), (torch.randn(3, 4),), tmp_path)


def read_delegates(file):
    """What ExecuTorch's own Python finds in the file: [(compile specs, blob)] and {key: blob} of its named data."""
    content = file.read_bytes()
    header = _get_extended_header(content)
    program = _flatbuffer_to_program(content[: header.program_size])

    def read_segment(index):
        segment = program.segments[index]
        start = header.segment_base_offset + segment.offset
        return content[start : start + segment.size]

    delegates = program.execution_plan[0].delegates
    assert all(delegate.id == "TensorRTBackend" for delegate in delegates)
    specs = [{spec.key: bytes(spec.value).decode() for spec in delegate.compile_specs} for delegate in delegates]
    blobs = [read_segment(delegate.processed.index) for delegate in delegates]
    named = {entry.key: read_segment(entry.segment_index) for entry in program.named_data or []}
    return list(zip(specs, blobs)), {key: blob for key, blob in named.items() if key.startswith("slipway.engine.")}


def test_a_kernel_between_two_engines(tmp_path):
    archive = save(Seed(), (torch.randn(5),), tmp_path)
    file = compile(archive, tmp_path / "model.pte", "--exclude-op", "aten.cos")
    method = slipway_cli.inspect(file)
    assert method["instructions"] == ["engine 0 of TensorRTBackend", "aten::cos.out", "engine 1 of TensorRTBackend"]
    assert [node["op"] for node in method["outside"]] == ["aten.cos.default"]
    for number, engine in enumerate(method["engines"]):
        slipway_cli.call("extract", file, "--engine", number, "-o", tmp_path / "part.engine")
        assert hashlib.sha256((tmp_path / "part.engine").read_bytes()).hexdigest() == engine["sha256"]


def test_a_bare_engine_is_the_one_in_the_program(archive, tmp_path):
    engine = compile(archive, tmp_path / "model.engine").read_bytes()
    assert compile(archive, tmp_path / "model.trt").read_bytes() == engine
    file = compile(archive, tmp_path / "model.pte")
    slipway_cli.call("extract", file, "-o", tmp_path / "extracted.engine")
    assert (tmp_path / "extracted.engine").read_bytes() == engine
    [(specs, blob)], variants = read_delegates(file)
    assert not variants
    assert specs == {"target_device": "cuda:0"}
    said, plan = read_blob(blob)
    assert plan == engine
    assert write_blob(said, plan) == blob
    assert [(b["shape"], b["dtype"], b["is_input"]) for b in said["io_bindings"]] == [
        ([3, 4], "float32", True),
        ([3, 7], "float32", False),
    ]
    assert "TensorRT-RTX 1.7.1" in said["serialized_metadata"]


def test_dynamic_sizes_are_minus_one(tmp_path):
    batch = torch.export.Dim("batch", min=1, max=64)
    archive = save(Perceptron(), (torch.randn(3, 4),), tmp_path, dynamic_shapes={"x": {0: batch}})
    symbol = json.loads(slipway_cli.call("inspect", "--json", archive))["symbols"]
    [symbol] = symbol
    default = compile(archive, tmp_path / "model.pte")
    said, plan = read_blob(read_delegates(default)[0][0][1])
    assert [binding["shape"] for binding in said["io_bindings"]] == [[-1, 4], [-1, 7]]
    narrower = compile(archive, tmp_path / "narrower.pte", "--profile", f"{symbol}=2:4:8")
    [engine] = slipway_cli.inspect(narrower)["engines"]
    assert engine["options"][f"profile {symbol}"] == "2:4:8"
    assert read_blob(read_delegates(narrower)[0][0][1])[1] != plan


@pytest.mark.parametrize("options", [("--exclude-op", "aten.tanh"), ("--exclude-op", "aten.linear")])
def test_a_bare_engine_of_a_split_program_is_refused(options, archive, tmp_path):
    with pytest.raises(slipway_cli.ToolError, match="slipway extract"):
        compile(archive, tmp_path / "model.engine", *options)
    assert not (tmp_path / "model.engine").exists()


def test_targets_are_engines_of_their_own(archive, tmp_path):
    file = tmp_path / "model.pte"
    compile(archive, file, "--target", "sm_120", target="sm_80,sm_86")
    [(_, blob)], variants = read_delegates(file)
    [engine] = slipway_cli.inspect(file)["engines"]
    assert engine["target"] == "sm_80,sm_86"
    assert list(variants) == [f"slipway.engine.{engine['sha256'][:16]}.sm_120"]
    for target, content in {"sm_80,sm_86": blob, "sm_120": variants.popitem()[1]}.items():
        alone = compile(archive, tmp_path / "alone.engine", target=target).read_bytes()
        assert read_blob(content)[1] == alone
        slipway_cli.call("extract", file, "--target", target, "-o", tmp_path / "extracted.engine")
        assert (tmp_path / "extracted.engine").read_bytes() == alone
    with pytest.raises(slipway_cli.ToolError, match="for one target"):
        compile(archive, tmp_path / "model.engine", "--target", "sm_120")


# Weights: 300 * (4 + 1) and 7 * (300 + 1) floats.
SPLIT_WEIGHTS = [6000, 8428]


def split_specs(archive, folder, *options):
    file = compile(archive, folder / "model.pte", "--exclude-op", "aten.tanh", *options)
    assert [engine["weight_bytes"] for engine in slipway_cli.inspect(file)["engines"]] == SPLIT_WEIGHTS
    assert all(engine["options"]["weight_streaming"] == "on" for engine in slipway_cli.inspect(file)["engines"])
    return [specs for specs, _ in read_delegates(file)[0]]


def test_a_budget_is_each_engines_own(archive, tmp_path):
    largest = 2**63 - 1
    for specs in split_specs(archive, tmp_path, "--weight-streaming-budget", largest):
        assert specs == {"target_device": "cuda:0", "weight_streaming_budget": str(largest)}


def test_a_total_is_shared_out(archive, tmp_path):
    total = 1000
    specs = split_specs(archive, tmp_path, "--weight-streaming-total", total)
    assert [int(s["weight_streaming_total"]) for s in specs] == [total, total]
    shares = [int(s["weight_streaming_budget"]) for s in specs]
    assert shares == [total * weight // sum(SPLIT_WEIGHTS) for weight in SPLIT_WEIGHTS]
    assert sum(shares) <= total


@pytest.mark.parametrize(
    "options",
    [
        ("--weight-streaming-budget", 1, "--weight-streaming-total", 1),
        ("--weight-streaming-budget", 1, "--no-weight-streaming"),
        ("--weight-streaming-total", 1, "--no-weight-streaming"),
        ("--weight-streaming-budget", 2**63),
        ("--weight-streaming-total", "-1"),
    ],
)
def test_budgets_that_contradict_are_refused(options, archive, tmp_path):
    with pytest.raises(slipway_cli.ToolError, match="weight-streaming"):
        compile(archive, tmp_path / "model.pte", *options)
    assert not (tmp_path / "model.pte").exists()


STAND_IN = """
int getInferLibVersion() { return VERSION; }
int getNvOnnxParserVersion() { return VERSION; }
void* createInferBuilder_INTERNAL(void* logger, int version) { return 0; }
void* createInferRuntime_INTERNAL(void* logger, int version) { return 0; }
void* createNvOnnxParser_INTERNAL(void* network, void* logger, int version) { return 0; }
"""


def stand_in(version, folder):
    """A library of the version that builds nothing."""
    folder.mkdir()
    source = folder / "stand_in.c"
    source.write_text(STAND_IN)
    for name in ("libtensorrt_rtx.so.1", "libtensorrt_onnxparser_rtx.so.1"):
        subprocess.run(["cc", "-shared", "-fPIC", f"-DVERSION={version}", "-o", folder / name, source], check=True)
    return folder


def test_a_dynamic_model_gives_the_same_bytes_each_time(tmp_path):
    """In one process the addresses of this one decide: four builds gave four plans."""
    plans = set()
    for _ in range(5):
        plans.add(compile(GOLDEN / "unet.pt2", tmp_path / "model.engine").read_bytes())
    assert len(plans) == 1


BUILDS = "TensorRT-RTX 1.7.. makes no builder"


def test_the_same_is_built_once(archive, tmp_path):
    """From the cache comes what no library had a part in."""
    cache = tmp_path / "cache"
    first = compile(archive, tmp_path / "first.pte").read_bytes()
    assert compile(archive, tmp_path / "second.pte").read_bytes() == first
    assert compile(archive, tmp_path / "filling.pte", cache=cache).read_bytes() == first
    engine = compile(archive, tmp_path / "model.engine").read_bytes()

    idle = ("--tensorrt-lib", stand_in(VERSION, tmp_path / "idle"))
    with pytest.raises(slipway_cli.ToolError, match=BUILDS):
        compile(archive, tmp_path / "third.pte", *idle)
    assert compile(archive, tmp_path / "third.pte", *idle, cache=cache).read_bytes() == first
    assert compile(archive, tmp_path / "third.engine", *idle, cache=cache).read_bytes() == engine
    # Others miss it: that they fail shows that they would be built.
    for options in (
        ("--weight-streaming",),
        ("--optimization-level", 1),
        ("--workspace", "1GiB"),
        ("--precision", "fp16"),
        ("--exclude-op", "aten.tanh"),
    ):
        with pytest.raises(slipway_cli.ToolError, match=BUILDS):
            compile(archive, tmp_path / "missed.pte", *idle, *options, cache=cache)
    with pytest.raises(slipway_cli.ToolError, match=BUILDS):
        compile(archive, tmp_path / "missed.pte", *idle, cache=cache, target="sm_80")
    newer = ("--tensorrt-lib", stand_in(VERSION + 1, tmp_path / "newer"))
    with pytest.raises(slipway_cli.ToolError, match=BUILDS):
        compile(archive, tmp_path / "missed.pte", *newer, cache=cache)
    changed = Perceptron()
    with torch.no_grad():
        changed.load_state_dict(torch.export.load(archive).state_dict)
        changed.narrow.bias[3] += 1
    (tmp_path / "changed").mkdir()
    other = save(changed, (torch.randn(3, 4),), tmp_path / "changed")
    with pytest.raises(slipway_cli.ToolError, match=BUILDS):
        compile(other, tmp_path / "missed.pte", *idle, cache=cache)
    assert not (tmp_path / "missed.pte").exists()
    assert compile(other, tmp_path / "other.pte", cache=cache).read_bytes() != first
    assert compile(archive, tmp_path / "third.pte", *idle, cache=cache).read_bytes() == first
