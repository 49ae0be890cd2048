"""Files that ExecuTorch's own exporter made: our checked reader accepts them and our Module runs them. And its tools read ours."""

import json
import pathlib

import numpy as np
import pytest
import torch
from executorch.exir import EdgeCompileConfig, to_edge_transform_and_lower
from executorch.exir._serialize._program import deserialize_pte_binary
from executorch.exir.capture._config import ExecutorchBackendConfig
from executorch.exir.passes import MemoryPlanningPass
from executorch.kernels import quantized  # noqa: F401  registers its kernels with the Python runtime
from executorch.runtime import Runtime, Verification

import slipway_cli


class Mlp(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first = torch.nn.Linear(8, 16)
        self.second = torch.nn.Linear(16, 4)

    def forward(self, x):
        return self.second(torch.relu(self.first(x)))


class Counter(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("total", torch.zeros(3))

    def forward(self, x):
        self.total.add_(x)
        return self.total * 2


class Branch(torch.nn.Module):
    def forward(self, x):
        return torch.cond(x.sum() > 0, lambda t: t + 1, lambda t: t * 2, (x,))


class Lists(torch.nn.Module):
    def forward(self, x, y):
        first, second = torch.split(torch.cat([x, y], 0), [1, 3])
        return {"first": first, "rest": [second, x.mean(0)]}


BATCH = torch.export.Dim("batch", max=8)
CASES = {
    "mlp": (Mlp, (torch.randn(2, 8),), None),
    "mlp_dynamic": (Mlp, (torch.randn(3, 8),), {"x": {0: BATCH}}),
    "mutable_buffer": (Counter, (torch.tensor([1.0, 2.0, 3.0]),), None),
    "cond_true": (Branch, (torch.ones(4),), None),
    "cond_false": (Branch, (-torch.ones(4),), None),
    "lists": (Lists, (torch.randn(2, 3), torch.randn(2, 3)), None),
}


@pytest.mark.parametrize("plan_io", [True, False], ids=["planned", "unplanned"])
@pytest.mark.parametrize("name", CASES)
def test_runs(name, plan_io, tmp_path):
    torch.manual_seed(0)
    make, inputs, dynamic_shapes = CASES[name]
    model = make().eval()
    program = torch.export.export(model, inputs, dynamic_shapes=dynamic_shapes)
    planning = MemoryPlanningPass(alloc_graph_input=plan_io, alloc_graph_output=plan_io)
    executorch_program = to_edge_transform_and_lower(
        program, compile_config=EdgeCompileConfig(_check_ir_validity=False)
    ).to_executorch(ExecutorchBackendConfig(memory_planning_pass=planning))
    path = tmp_path / "peer.pte"
    path.write_bytes(executorch_program.buffer)

    expected = model(*inputs)
    outputs, _ = slipway_cli.run(path, inputs, tmp_path)
    for ours, theirs in zip(outputs, torch.utils._pytree.tree_leaves(expected), strict=True):
        torch.testing.assert_close(torch.as_tensor(ours), theirs.detach(), atol=1e-5, rtol=1e-5)


def test_xnnpack_delegate_runs(tmp_path):
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner

    torch.manual_seed(0)
    model, inputs = Mlp().eval(), (torch.randn(2, 8),)
    executorch_program = to_edge_transform_and_lower(
        torch.export.export(model, inputs), partitioner=[XnnpackPartitioner()]
    ).to_executorch()
    path = tmp_path / "xnnpack.pte"
    path.write_bytes(executorch_program.buffer)
    outputs, _ = slipway_cli.run(path, inputs, tmp_path)
    torch.testing.assert_close(torch.as_tensor(outputs[0]), model(*inputs).detach(), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("engine", ["none", "openvino"])
def test_executorchs_own_tools_read_our_files(engine, tmp_path):
    compiled = slipway_cli.compile(torch.export.export(Counter(), (torch.zeros(3),)), tmp_path, engine=engine)
    program = deserialize_pte_binary(compiled.read_bytes()).program
    [plan] = program.execution_plan
    assert plan.name == "forward"
    assert [delegate.id for delegate in plan.delegates] == (["OpenvinoBackend"] if engine == "openvino" else [])


GOLDEN = pathlib.Path(__file__).parents[1] / "data" / "golden"
MODELS = json.loads((GOLDEN / "manifest.json").read_text())["models"]
# The Python runtime takes no None and no text.
ARCHIVES = [
    (name, file)
    for name, model in MODELS.items()
    if model["cases"] and all("file" in spec for case in model["cases"] for spec in case["inputs"])
    for file in model["files"].values()
]


@pytest.mark.parametrize("name,file", ARCHIVES, ids=[file for _, file in ARCHIVES])
def test_executorchs_python_runtime_runs_our_files(name, file, tmp_path):
    def value(spec):
        return torch.from_numpy(np.load(GOLDEN / spec["file"])) if "file" in spec else spec["value"]

    compiled = tmp_path / "model.pte"
    slipway_cli.call("compile", GOLDEN / file, "-o", compiled, "--engine", "none")
    program = Runtime.get().load_program(compiled, verification=Verification.Minimal)
    for case in MODELS[name]["cases"]:
        outputs = program.load_method("forward").execute([value(spec) for spec in case["inputs"]])
        for ours, spec in zip(outputs, case["outputs"], strict=True):
            if "file" in spec:
                # Sums of halves may round to the next half.
                rtol = 1e-3 if ours.dtype == torch.float16 else 1e-5
                torch.testing.assert_close(ours, value(spec), atol=1e-5, rtol=rtol, equal_nan=True)
            else:
                assert ours == spec["value"]


class Convolutions(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first = torch.nn.Conv2d(3, 8, 3, padding=1)
        self.norm = torch.nn.BatchNorm2d(8)
        self.second = torch.nn.Conv2d(8, 8, 3, groups=8, stride=2)
        self.last = torch.nn.Linear(8, 5)
        self.offset = torch.nn.Parameter(torch.randn(5))

    def forward(self, x):
        y = torch.nn.functional.hardswish(self.norm(self.first(x)))
        y = torch.nn.functional.max_pool2d(torch.relu(self.second(y)), 2)
        return self.last(y.mean((2, 3))).softmax(1) + self.offset


def test_executorchs_python_runtime_runs_our_engines_for_xnnpack(tmp_path):
    torch.manual_seed(0)
    model = Convolutions().eval()
    sizes = {0: torch.export.Dim("n", min=1, max=4)}
    exported = torch.export.export(model, (torch.randn(2, 3, 9, 10),), dynamic_shapes=(sizes,))
    compiled = slipway_cli.compile(exported, tmp_path, "--require-full", engine="xnnpack")
    [plan] = deserialize_pte_binary(compiled.read_bytes()).program.execution_plan
    assert [delegate.id for delegate in plan.delegates] == ["XnnpackBackend"]
    method = Runtime.get().load_program(compiled, verification=Verification.Minimal).load_method("forward")
    for batch in (2, 4, 1, 3):
        x = torch.randn(batch, 3, 9, 10)
        [output] = method.execute([x])
        torch.testing.assert_close(output, model(x).detach(), atol=1e-5, rtol=1e-5)
