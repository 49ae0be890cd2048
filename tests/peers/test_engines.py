"""Programs that OpenVINO runs: each as one partition, split in two by an excluded operator, and with state that crosses a
partition's edge; all against eager PyTorch."""

import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

import slipway_cli
from test_models import MODELS, compare

ROOT = pathlib.Path(__file__).parents[2]
GOLDEN = ROOT / "tests/data/golden"
# That of ExecuTorch's own delegate; ours has another one.
[OPENVINO_2025] = pathlib.Path(sys.prefix).glob("lib/python*/site-packages/openvino/libs/libopenvino_c.so.*")


def export(name, dialect, folder):
    """Saves the program of a name: (its archive, [(inputs, eager PyTorch's outputs)])."""
    if name not in MODELS:
        entry = json.loads((GOLDEN / "manifest.json").read_text())["models"][name]
        read = lambda items: [torch.from_numpy(np.load(GOLDEN / item["file"])) for item in items]  # noqa: E731
        return GOLDEN / entry["files"][dialect], [(read(c["inputs"]), read(c["outputs"])) for c in entry["cases"]]
    torch.manual_seed(0)
    model, inputs = MODELS[name]()
    model.eval()
    with torch.no_grad():
        program = torch.export.export(model, inputs)
        if dialect == "core":
            program = program.run_decompositions()
        torch.export.save(program, folder / "model.pt2")
        return folder / "model.pt2", [(inputs, model(*inputs))]


def compile(archive, folder, *options):
    file = folder / "model.pte"
    slipway_cli.call("compile", archive, "-o", file, "--engine", "openvino", "--no-cache", "--verify-passes", *options)
    return file


def check(file, calls, folder):
    for inputs, expected in calls:
        outputs, _ = slipway_cli.run(file, inputs, folder)
        compare(outputs, expected)


@pytest.mark.parametrize("dialect", ["training", "core"])
@pytest.mark.parametrize("name", [*MODELS, "llama_prefill", "unet"])
def test_is_one_partition(name, dialect, tmp_path):
    archive, calls = export(name, dialect, tmp_path)
    file = compile(archive, tmp_path)
    slipway_cli.check_one_partition(file)
    check(file, calls, tmp_path)


# An operator from the middle of each, by dialect.
EXCLUDED = [
    ("resnet18", "training", "aten.max_pool2d"),
    ("mobilenet_v3_small", "training", "aten.hardsigmoid"),
    ("efficientnet_b0", "training", "aten.adaptive_avg_pool2d"),
    ("convnext_tiny", "training", "aten.gelu"),
    ("vit_b_16", "training", "aten.gelu.default"),
    ("swin_t", "training", "aten.roll"),
    ("lstm", "core", "aten.tanh"),
    ("transformer_encoder", "training", "aten.relu"),
    ("llama_prefill", "training", "aten.silu"),
    ("unet", "core", "aten.max_pool2d_with_indices"),
]


@pytest.mark.parametrize("name, dialect, operator", EXCLUDED, ids=[name for name, _, _ in EXCLUDED])
def test_splits_around_an_excluded_operator(name, dialect, operator, tmp_path):
    archive, calls = export(name, dialect, tmp_path)
    file = compile(archive, tmp_path, "--exclude-op", operator)
    method = slipway_cli.inspect(file)
    assert len(method["engines"]) > 1
    assert method["operators"], "nothing runs on kernels"
    excluded = [node for node in method["outside"] if node["op"].startswith(operator)]
    assert excluded
    assert all("exclude" in node["reason"] for node in excluded)
    check(file, calls, tmp_path)


class Chain(nn.Module):
    """Operators in a row, of which each is the only one of its kind."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x):
        x = torch.relu(self.first(x))
        return self.second(torch.tanh(x).cos())


@pytest.fixture
def chain(tmp_path):
    torch.manual_seed(0)
    model, inputs = Chain().eval(), (torch.randn(3, 4),)
    program = torch.export.export(model, inputs)
    torch.export.save(program, tmp_path / "model.pt2")
    names = {str(node.target): node.name for node in program.graph.nodes if node.op == "call_function"}
    return tmp_path / "model.pt2", [(inputs, model(*inputs))], names


def test_require_full_lists_what_stays_outside(chain, tmp_path):
    archive, calls, names = chain
    check(compile(archive, tmp_path, "--require-full"), calls, tmp_path)
    (tmp_path / "model.pte").unlink()
    with pytest.raises(slipway_cli.ToolError) as refused:
        compile(archive, tmp_path, "--require-full", "--exclude-op", "aten.cos", "--exclude-op", "aten.relu.default")
    for operator in ("aten.cos.default", "aten.relu.default"):
        assert operator in str(refused.value)
        assert names[operator] in str(refused.value)
    assert "aten.tanh" not in str(refused.value)
    assert not (tmp_path / "model.pte").exists()


def test_exclude_node(chain, tmp_path):
    archive, calls, names = chain
    file = compile(archive, tmp_path, "--exclude-node", names["aten.tanh.default"])
    method = slipway_cli.inspect(file)
    assert len(method["engines"]) == 2
    assert [node["name"] for node in method["outside"]] == [names["aten.tanh.default"]]
    check(file, calls, tmp_path)


def test_what_the_program_lacks_cannot_be_excluded(chain, tmp_path):
    for option, value in (("--exclude-op", "aten.sin"), ("--exclude-node", "no_such_node")):
        with pytest.raises(slipway_cli.ToolError, match=value):
            compile(chain[0], tmp_path, option, value)


def test_min_partition_size(chain, tmp_path):
    archive, calls, _ = chain
    options = ("--exclude-op", "aten.tanh")  # linear and relu, then cos and linear
    for size, count in ((2, 2), (3, 0)):
        file = compile(archive, tmp_path, *options, "--min-partition-size", size)
        assert len(slipway_cli.inspect(file)["engines"]) == count
        check(file, calls, tmp_path)


STOCK = """
import json, sys, numpy, torch
from executorch.runtime import Runtime
registry = Runtime.get().backend_registry
assert registry.is_available("OpenvinoBackend"), "OpenVINO's library was not found"
for file, arrays, results in json.loads(sys.argv[1]):
    inputs = [torch.from_numpy(numpy.load(array)) for array in arrays]
    method = Runtime.get().load_program(file).load_method("forward")
    for _ in range(2):
        outputs = method.execute(inputs)
    numpy.savez(results, *[output.numpy() for output in outputs])
"""


# In a process of its own: one that has the stock delegate can't have ours. This delegate tells OpenVINO no precision, and OpenVINO
# then takes bfloat16 where the CPU has it, unless it does not see that.
def test_static_shapes_run_under_the_stock_delegate(tmp_path):
    jobs, wanted = [], []
    for name in ("resnet18", "mobilenet_v3_small", "lstm", "transformer_encoder"):
        folder = tmp_path / name
        folder.mkdir()
        archive, [(inputs, expected)] = export(name, "training", folder)
        file = compile(archive, folder, "--openvino-compat", "2025.4")
        slipway_cli.check_one_partition(file)
        check(file, [(inputs, expected)], folder)
        arrays = [folder / f"{position}.npy" for position in range(len(inputs))]
        for array, tensor in zip(arrays, inputs):
            np.save(array, tensor.numpy())
        jobs.append((str(file), [str(array) for array in arrays], str(folder / "outputs.npz")))
        wanted.append(expected)
    for isa in ("AVX512_CORE_VNNI", "ALL"):
        subprocess.run(
            [sys.executable, "-c", STOCK, json.dumps(jobs)],
            env=os.environ | {"OPENVINO_LIB_PATH": str(OPENVINO_2025), "ONEDNN_MAX_CPU_ISA": isa},
            check=True,
            timeout=600,
        )
        for (_, _, results), expected in zip(jobs, wanted):
            outputs = list(np.load(results).values())
            pathlib.Path(results).unlink()
            if isa != "ALL":
                compare(outputs, expected)
                continue
            for output, tensor in zip(outputs, torch.utils._pytree.tree_leaves(expected), strict=True):
                np.testing.assert_allclose(output, tensor.detach().numpy(), atol=0.1, rtol=0.1)


class Decoder(nn.Module):
    """A step of attention over a cache; keys are written by index_copy_, values by index_put_."""

    HEADS, WIDTH, LENGTH = 2, 4, 8

    def __init__(self):
        super().__init__()
        width = self.HEADS * self.WIDTH
        self.places = nn.Embedding(self.LENGTH, width)
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))
        self.register_buffer("keys", torch.zeros(1, self.HEADS, self.LENGTH, self.WIDTH))
        self.register_buffer("values", torch.zeros(1, self.HEADS, self.LENGTH, self.WIDTH))
        self.register_buffer("position", torch.zeros(1, dtype=torch.int64))

    def forward(self, x):
        x = x + self.places(self.position)
        by_head = lambda t: t.unflatten(-1, (self.HEADS, self.WIDTH)).transpose(1, 2)  # noqa: E731
        self.keys.index_copy_(2, self.position, by_head(self.key(x)))
        self.values[:, :, self.position] = by_head(self.value(x))
        seen = torch.arange(self.LENGTH) <= self.position
        attended = nn.functional.scaled_dot_product_attention(
            by_head(self.query(x)), self.keys, self.values, attn_mask=seen[None]
        )
        self.position.add_(1)
        return self.out(attended.transpose(1, 2).flatten(2))


class Accumulator(nn.Module):
    """Reads a buffer before and after it is written to, and gives it away."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(4))
        self.register_buffer("sum", torch.zeros(4))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    def forward(self, x):
        before = self.sum * self.weight
        self.sum.mul_(0.5).add_(x.sum(0))
        self.count.add_(1)
        after = torch.tanh(self.sum * self.weight) + self.count
        self.sum[1:3] = after[:2]
        return before, after, self.sum + 0


STATEFUL = {"decoder": (Decoder, (1, 1, 8)), "accumulator": (Accumulator, (3, 4))}


@pytest.mark.parametrize("exclude", [(), ("aten.add",)], ids=["whole", "split"])
@pytest.mark.parametrize("dialect", ["training", "core"])
@pytest.mark.parametrize("name", STATEFUL)
def test_state_lasts_from_call_to_call(name, dialect, exclude, tmp_path):
    torch.manual_seed(0)
    make, shape = STATEFUL[name]
    model, x = make().eval(), torch.randn(shape)
    initial = {key: buffer.clone() for key, buffer in model.named_buffers()}
    with torch.no_grad():
        program = torch.export.export(model, (x,))
        if dialect == "core":
            program = program.run_decompositions()
        torch.export.save(program, tmp_path / "model.pt2")
        file = compile(tmp_path / "model.pt2", tmp_path, *[word for op in exclude for word in ("--exclude-op", op)])
        assert slipway_cli.inspect(file)["engines"], "no engine has a part in it"
        for calls in (1, 2, 5):
            model.load_state_dict(initial, strict=False)
            for _ in range(calls):
                expected = model(x)
            outputs, state = slipway_cli.run(file, [x], tmp_path, "--repeat", calls)
            compare(outputs, expected)
            assert state.keys() == initial.keys()
            for key, buffer in model.named_buffers():
                np.testing.assert_allclose(state[key], buffer.numpy(), atol=1e-5, rtol=1e-5)


def test_golden_state(tmp_path):
    entry = json.loads((GOLDEN / "manifest.json").read_text())["models"]["mutated_buffer"]
    for file in entry["files"].values():
        model = torch.export.load(GOLDEN / file).module()
        [case] = entry["cases"]
        x = torch.from_numpy(np.load(GOLDEN / case["inputs"][0]["file"]))
        compiled = compile(GOLDEN / file, tmp_path)
        assert slipway_cli.inspect(compiled)["engines"]
        for _ in range(3):
            expected = model(x)
        outputs, state = slipway_cli.run(compiled, [x], tmp_path, "--repeat", 3)
        compare(outputs, expected)
        buffers = dict(model.named_buffers())
        assert state.keys() == case["after"].keys()
        for key, array in state.items():
            np.testing.assert_allclose(array, buffers[key].numpy(), atol=1e-5, rtol=1e-5)


class Repeated(nn.Module):
    """A weight of 64 KiB, repeated before something takes it."""

    def __init__(self, function):
        super().__init__()
        self.function = function
        self.weight = nn.Parameter(torch.randn(1, 256, 64))

    def forward(self, x):
        return self.function(self.weight.expand(32, -1, -1), x)


REPEATED = {
    "elementwise": lambda w, x: w * x,
    "matmul": lambda w, x: x @ w.mT,
    "bmm": lambda w, x: torch.bmm(x, w.mT),
    "baddbmm": lambda w, x: torch.baddbmm(x[:, :, :1], x, w.mT),
    "matmul_of_a_view": lambda w, x: x.view(8, 4, 256, 64) @ w.mT.view(8, 4, 64, 256),
    "einsum": lambda w, x: torch.einsum("bij,bkj->bik", x, w),
    "cat": lambda w, x: torch.cat([w, x], 1),
    "stack": lambda w, x: torch.stack([x, w], 2),
    "movement": lambda w, x: torch.cat([torch.nn.functional.pad(w.transpose(0, 1) * 2, (1, 1)).flatten(), x.flatten()]),
    "result": lambda w, x: torch.where(x > 0, w, x) + (w + w),
    "repeat": lambda w, x: torch.cat([w[:1].repeat(32, 1, 1), x * w[:1].repeat(32, 1, 1)]),
    "interleave": lambda w, x: w[:1].repeat_interleave(32, 0) - x,
    "cat_of_itself": lambda w, x: torch.cat([w[:1]] * 32) + x,
    "stack_of_itself": lambda w, x: torch.stack([w[0]] * 32) + x,
}


@pytest.mark.parametrize("dialect", ["training", "core"])
@pytest.mark.parametrize("name", REPEATED)
def test_repeated_weights_are_held_once(name, dialect, tmp_path):
    torch.manual_seed(0)
    model, x = Repeated(REPEATED[name]).eval(), torch.randn(32, 256, 64)
    with torch.no_grad():
        program = torch.export.export(model, (x,))
        if dialect == "core":
            program = program.run_decompositions()
        torch.export.save(program, tmp_path / "model.pt2")
        file = compile(tmp_path / "model.pt2", tmp_path)
        slipway_cli.check_one_partition(file)
        assert file.stat().st_size < 3 * model.weight.nbytes  # 32 of them take 2 MiB
        # The first element is what an engine chooses the weight by, whatever it is.
        check(file, [((each,), model(each)) for each in (x, x.abs(), -x.abs(), x * 0)], tmp_path)


class Expanded(nn.Module):
    """A weight whose strides repeat it."""

    def __init__(self):
        super().__init__()
        self.register_buffer("weight", torch.randn(1, 256, 64).expand(32, -1, -1))

    def forward(self, x, y):
        return torch.cat([self.weight, x]), x @ self.weight.mT, y + 1


@pytest.mark.parametrize("engine", ["openvino", "onnx"])
def test_strides_of_0_are_held_once(engine, tmp_path):
    torch.manual_seed(0)
    module = Expanded()
    inputs, n = (torch.randn(32, 256, 64), torch.randn(3)), torch.export.Dim("n", min=0, max=9)
    torch.export.save(torch.export.export(module, inputs, dynamic_shapes=(None, {0: n})), tmp_path / "model.pt2")
    if engine == "onnx":
        slipway_cli.call("compile", tmp_path / "model.pt2", "-o", tmp_path / "model.onnx")
        assert sum(each.stat().st_size for each in tmp_path.glob("model.onnx*")) < 2 * 64 * 1024
        return
    file = compile(tmp_path / "model.pt2", tmp_path)
    assert file.stat().st_size < 3 * 64 * 1024
    check(file, [((inputs[0], y), module(inputs[0], y)) for y in (inputs[1], torch.zeros(0))], tmp_path)


class Masked(nn.Module):
    """How models of the BERT family read the mask of int64 that they are given."""

    def __init__(self, function):
        super().__init__()
        self.function = function
        self.embedding, self.query, self.key = nn.Embedding(50, 16), nn.Linear(16, 16), nn.Linear(16, 16)

    def forward(self, ids, mask):
        x = self.embedding(ids)
        scores = self.query(x) @ self.key(x).mT
        return self.function(scores, mask.to(scores.device)) @ x


LEAST = torch.finfo(torch.float32).min
MASKS = {
    "added": lambda s, m: (s + (1.0 - m[:, None, :].to(s.dtype)) * LEAST).softmax(-1),
    "filled": lambda s, m: s.masked_fill(m[:, None, :] == 0, LEAST).softmax(-1),
    "chosen": lambda s, m: torch.where(m.unsqueeze(1) > 0, s, LEAST).softmax(-1),
    "truth": lambda s, m: s.masked_fill(~m.bool()[:, None], LEAST).softmax(-1) * (m != 0)[:, None],
    "scaled": lambda s, m: s.softmax(-1) * m.unsqueeze(-1) / 3,
}


@pytest.mark.parametrize("dialect", ["training", "core"])
@pytest.mark.parametrize("name", MASKS)
def test_masks_of_int64_are_the_engines(name, dialect, tmp_path):
    torch.manual_seed(0)
    model = Masked(MASKS[name]).eval()
    ids, mask = torch.randint(0, 50, (2, 5)), torch.tensor([[1, 1, 1, 1, 0], [2**32, 1, -(2**40), 0, 0]])
    batch, length = torch.export.Dim("batch", max=8), torch.export.Dim("length", max=32)
    calls = [(ids, mask), (ids[:1, :3], mask[:1, :3])]
    with torch.no_grad():
        program = torch.export.export(model, calls[0], dynamic_shapes=({0: batch, 1: length},) * 2)
        if dialect == "core":
            program = program.run_decompositions()
        torch.export.save(program, tmp_path / "model.pt2")
        file = compile(tmp_path / "model.pt2", tmp_path, "--require-full")
        check(file, [(inputs, model(*inputs)) for inputs in calls], tmp_path)


@pytest.mark.parametrize("dialect", ["training", "core"])
def test_a_product_of_one_element_over_what_may_be_nothing_is_the_engines(dialect, tmp_path):
    class Model(torch.nn.Module):
        def forward(self, x):
            return torch.einsum("ij,ij->", x, x)

    calls = [(torch.randn(3, 4),), (torch.randn(0, 4),), (torch.randn(1, 4),)]
    program = torch.export.export(Model(), calls[0], dynamic_shapes=({0: torch.export.Dim("rows", min=0, max=8)},))
    if dialect == "core":
        program = program.run_decompositions()
    torch.export.save(program, tmp_path / "model.pt2")
    file = compile(tmp_path / "model.pt2", tmp_path, "--require-full", "--no-cache")
    check(file, [(inputs, Model()(*inputs)) for inputs in calls], tmp_path)


# Processors without AVX-512 have too few vector registers for the kernel that OpenVINO would make of all its steps.
def test_many_joined_steps_are_the_engines_with_few_registers(tmp_path, monkeypatch):
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")

    class Digamma(nn.Module):
        def forward(self, x):
            return torch.special.psi(x)

    x = torch.tensor(2.5)
    program = torch.export.export(Digamma(), (x,)).run_decompositions()
    compiled = slipway_cli.compile(program, tmp_path, "--require-full", engine="openvino")
    [found], _ = slipway_cli.run(compiled, [x], tmp_path)
    np.testing.assert_allclose(found, torch.special.psi(x).numpy(), atol=1e-5)
