"""A small Llama, exported as prefill and decode, whose methods share its cache: greedy tokens as eager PyTorch has them, by generate.cc and
by ExecuTorch's own Python runtime. And what ExecuTorch's exporter makes of both, by generate.cc."""

import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import torch
from executorch.exir import EdgeCompileConfig, to_edge_transform_and_lower
from executorch.exir.capture._config import ExecutorchBackendConfig
from executorch.exir.passes import MemoryPlanningPass
from executorch.exir.passes.init_mutable_pass import InitializedMutableBufferPass
from executorch.runtime import Runtime

import slipway_cli

ROOT = pathlib.Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "examples"))
import export_llama  # noqa: E402

GENERATE = pathlib.Path(slipway_cli.TOOL).parent / "examples/generate"
PROMPTS = [[5], [1, 2, 3], list(range(10, 60))]
COUNT = 20


@pytest.fixture(scope="module")
def llama():
    torch.manual_seed(0)
    model = export_llama.Llama().eval()
    programs = export_llama.export(model)
    return programs, [export_llama.generate(model, prompt, COUNT) for prompt in PROMPTS]


def compiled(programs, folder, engine):
    methods = []
    for name, program in programs.items():
        torch.export.save(program, folder / f"{name}.pt2")
        methods.append(f"{name}={folder / name}.pt2")
    file = folder / "llama.pte"
    options = "--share-buffers", "--verify-passes", "--no-cache", "--engine", engine
    slipway_cli.call("compile", *methods, "-o", file, *options)
    return file


def generated(file, prompt):
    tokens = ",".join(map(str, prompt))
    command = [GENERATE, file, "--tokens", tokens, "--max-new-tokens", str(COUNT)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert f"prefill: {len(prompt)} tokens, " in done.stderr
    assert f"decode: {COUNT - 1} tokens, " in done.stderr
    return [int(token) for token in done.stdout.split(",")]


@pytest.mark.parametrize("engine", ["none", "openvino", "xnnpack"])
def test_tokens(llama, engine, tmp_path):
    programs, expected = llama
    file = compiled(programs, tmp_path, engine)
    assert [generated(file, prompt) for prompt in PROMPTS] == expected
    for method in json.loads(slipway_cli.call("inspect", "--json", file))["methods"]:
        assert bool(method["engines"]) == (engine != "none")
        others = {"prefill": ["decode"], "decode": ["prefill"]}[method["name"]]
        assert len(method["state"]) == 4
        assert all(buffer["shared_with"] == others for buffer in method["state"])
    text = slipway_cli.call("inspect", file)
    assert "state 'layers.0.keys': float32[1, 2, 128, 16], shared with decode" in text

    if engine == "openvino":  # ExecuTorch's package has a delegate of another version
        return
    program = Runtime.get().load_program(str(file))
    methods = {name: program.load_method(name) for name in programs}

    def run(tokens, positions):
        name = "prefill" if positions[0] == 0 else "decode"
        return methods[name].execute((tokens, positions))[0]

    assert [export_llama.generate(run, prompt, COUNT) for prompt in PROMPTS] == expected


class Total(torch.nn.Module):
    def __init__(self, reads):
        super().__init__()
        self.reads = reads
        self.register_buffer("total", torch.arange(3.0))

    def forward(self, x):
        return self.total * x + 1 if self.reads else self.total.add_(x).clone()


@pytest.mark.parametrize("dialect", ["training", "core"])
@pytest.mark.parametrize("engine", ["none", "xnnpack"])
def test_a_method_that_only_reads_sees_what_another_writes(engine, dialect, tmp_path):
    x = torch.full((3,), 2.0)
    programs = {name: torch.export.export(Total(name == "peek"), (x,)) for name in ("peek", "add")}
    if dialect == "core":
        programs = {name: program.run_decompositions() for name, program in programs.items()}
    program = Runtime.get().load_program(str(compiled(programs, tmp_path, engine)))
    methods = {name: program.load_method(name) for name in programs}
    for name, expected in [("peek", [1, 3, 5]), ("add", [2, 3, 4]), ("peek", [5, 7, 9]), ("add", [4, 5, 6])]:
        torch.testing.assert_close(methods[name].execute((x,))[0], torch.tensor(expected, dtype=torch.float32))


class Bag(torch.nn.Module):
    """Follows from all tokens so far, in any order."""

    def __init__(self, length=96):
        super().__init__()
        self.length = length
        self.embedding, self.head = torch.nn.Embedding(64, 16), torch.nn.Linear(16, 64)
        self.register_buffer("seen", torch.zeros(length, 16))

    def forward(self, tokens, positions):
        self.seen.index_copy_(0, positions, self.embedding(tokens[0]))
        mask = torch.arange(self.length) <= positions[-1]
        return self.head(torch.tanh((self.seen * mask[:, None]).sum(0, keepdim=True)))


@torch.no_grad()
def test_executorchs_own_files(tmp_path):
    """Each method says there how large the shared memory is as a whole."""
    torch.manual_seed(0)
    model = Bag()
    programs = export_llama.export(model)
    made = to_edge_transform_and_lower(programs, compile_config=EdgeCompileConfig(_check_ir_validity=False))
    config = ExecutorchBackendConfig(
        passes=[InitializedMutableBufferPass(["seen"])],
        memory_planning_pass=MemoryPlanningPass(share_mutable_buffers=True),
        emit_mutable_buffer_names=True,
    )
    file = tmp_path / "executorch.pte"
    file.write_bytes(made.to_executorch(config).buffer)
    for prompt in PROMPTS:
        assert generated(file, prompt) == export_llama.generate(model, prompt, COUNT)


def test_mistakes_are_said(llama, tmp_path):
    programs, _ = llama
    file = compiled(programs, tmp_path, "none")
    for arguments, code, text in [
        ([], 2, "usage: generate"),
        ([file, "--tokens", "1,x"], 2, "usage: generate"),
        ([tmp_path / "prefill.pt2", "--tokens", "1"], 1, "prefill.pt2"),
        ([file, "--tokens", ",".join(["1"] * 129)], 1, "tokens"),
    ]:
        done = subprocess.run([GENERATE, *map(str, arguments)], capture_output=True, text=True)
        assert done.returncode == code and text in done.stderr, done.stderr
