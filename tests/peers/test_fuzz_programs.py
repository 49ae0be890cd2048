"""The machine of random programs: without a rule against a fault of OpenVINO it finds that fault, and runs can be gone on with."""

import contextlib
import json
import pathlib
import subprocess
import sys

import pytest
import torch

from function_module import Function

ROOT = pathlib.Path(__file__).parents[2]
MACHINE, DRIVER = ROOT / "tests/fuzz_programs", ROOT / "build/release/fuzz_programs/program_driver"
sys.path.insert(0, str(MACHINE))

import campaign  # noqa: E402
import check  # noqa: E402
from check import Checker  # noqa: E402
from driver import Driver  # noqa: E402
from program import Input, Node, Program, export  # noqa: E402

# Of each rule: what is drawn, the batch of the seed "rules", and a program of it that is right with the rule alone.
FOUND = {
    "abs-sinking": ("abs_of", 0, 1),
    "gather-after-slice": ("gather_of_slice", 0, 0),
    "one-column-product": ("linear_of_one", 1, 4),
    "expand-to-nothing": ("pattern_expanded", 2, 3),
    "mean-of-nothing": ("pattern_nothing", 1, 4),
    "scatter-nan": ("scattered_extreme", 0, 0),
    "product-over-nothing": ("pattern_product_over_nothing", 0, 1),
    "odd-numbers": ("odd_number", 0, 1),
    "reshape-to-nothing": ("reshaped_nothing", 0, 3),
    "integer-choice": ("chosen_integers", 0, 1),
    "reduction-of-three": ("reduced_channels", 0, 0),
    "rank-of-one-element": ("rank_of_one_element", 0, 0),
    "topk-nan": ("sorted_nan", 0, 0),
    "large-factor": ("added_and_scaled", 0, 0),
    "window-over-nothing": ("pattern_window_over_nothing", 0, 1),
}


@pytest.mark.parametrize("rule", FOUND)
def test_finds_a_fault_without_its_rule(rule, tmp_path):
    only, batch, place = FOUND[rule]
    wrong = []
    for rules in ("", rule):
        with contextlib.closing(Driver(DRIVER, tmp_path, rules)) as driver:
            # The whole batch: where nothing has elements that an engine gives, OpenVINO isn't asked.
            programs = campaign.Campaign("rules", ["openvino"], driver, tmp_path, only, 6).programs(batch)
            found = Checker(driver, ["openvino"]).check(programs, campaign.DIALECTS[batch % 2])[place]
        wrong.append([each.text() for each in found if not campaign.explained(each, programs[place])])
    assert not wrong[0]
    assert wrong[1]


def test_tells_apart_what_is_refused_at_once(tmp_path, monkeypatch):
    exported, compiled = [], []

    def exporting(programs):
        exported.append(len(programs))
        return export(programs)

    class Compiling(Driver):
        def run(self, *arguments):
            compiled.append(arguments[0])
            return super().run(*arguments)

    def program(text):
        sizes = [0, 2, 5, 2]
        return Program("", {"n": sizes}, 4, [Input("x0", ("n",), [torch.arange(n) + 0.5 for n in sizes])], [], [Node("v0", text, ["x0"], text)], ["v0"])

    monkeypatch.setattr(check, "export", exporting)
    programs = [program(each) for each in ("{0}.relu()", "aten.__rshift__.Scalar({0} > 1, 1)", "{0} + (1 if {0}.shape[0] > 3 else 2)", "aten.cumprod.default({0}, 0)", "{0}.sin()")]
    with contextlib.closing(Compiling(DRIVER, tmp_path)) as driver:
        checker = Checker(driver, ["none"])
        assert checker.check(programs, "training") == [[], None, [], [], []]
    assert exported == [5, 4] and compiled == ["none", "none"]
    assert [each.dynamic for each in programs] == [True, True, False, True, True]
    assert dict(checker.refused) == {"aten.cumprod.default": 1}
    assert [message.split(":")[0] for message in checker.not_exported] == ["RuntimeError"]


def machine(folder, *options):
    return subprocess.run([sys.executable, MACHINE / "run.py", "--seed", "rules", "--batch", "6", "--only", "abs_of", "--engines", "openvino", "--out", folder, *options],
                          capture_output=True, text=True, timeout=600)


def records(folder):
    return [json.loads(line) for line in (folder / "batches.jsonl").read_text().splitlines()]


def test_writes_failures_as_programs(tmp_path):
    result = machine(tmp_path, "--programs", "6", "--disable-rule", "abs-sinking")
    assert result.returncode == 1, result.stdout + result.stderr
    failures = records(tmp_path)[0]["failures"]
    file = next(each["file"] for each in failures if "file" in each)
    scope = {}
    exec((tmp_path / file).read_text(), scope)  # noqa: S102
    assert scope["Program"]()(*scope["inputs"][-1])


def test_goes_on_where_a_run_ended(tmp_path):
    first = machine(tmp_path, "--programs", "6")
    assert first.returncode == 0, first.stdout + first.stderr
    before = records(tmp_path)
    second = machine(tmp_path, "--programs", "18", "--jobs", "2", "--resume", "--table")
    assert second.returncode == 0, second.stdout + second.stderr
    after = records(tmp_path)
    assert after[0] == before[0]
    assert sorted(each["batch"] for each in after) == [0, 1, 2]
    assert "abs.default" in second.stdout


def test_ends_at_its_time(tmp_path):
    result = machine(tmp_path, "--minutes", "0.0001")
    assert result.returncode == 1  # without a program nothing was shown
    assert "\n0 programs" in result.stdout


def test_goes_on_after_a_batch_that_ends_the_process(tmp_path):
    code = f"""
import os, sys
sys.path.insert(0, {str(MACHINE)!r})
import campaign, run
batch = campaign.Campaign.run
campaign.Campaign.run = lambda self, number, known: os.abort() if number == 0 else batch(self, number, known)
sys.exit(run.main())
"""
    result = subprocess.run([sys.executable, "-c", code, "--programs", "3", "--batch", "3", "--only", "abs_of", "--engines", "openvino", "--out", tmp_path],
                            capture_output=True, text=True, timeout=600)
    assert result.returncode == 0, result.stdout + result.stderr
    assert [(each["batch"], each["programs"]) for each in records(tmp_path)] == [(0, 0), (1, 3)]
    assert "PyTorch ended the process (-6)" in result.stdout


def run(engine, module, sets, folder, dynamic_shapes=None):
    """The first output for each set of inputs."""
    shapes = None if dynamic_shapes is None else (tuple(dynamic_shapes),)
    torch.export.save(torch.export.export(module, tuple(sets[0]), dynamic_shapes=shapes), folder / "program.pt2")
    with contextlib.closing(Driver(DRIVER, folder)) as driver:
        return [outputs[0] for outputs in driver.run(engine, folder / "program.pt2", sets)]


@pytest.mark.parametrize("decimals", [-1, 0, 1])
@pytest.mark.parametrize("engine", ["none", "openvino", "onnx"])
def test_special_round_has_decimals(engine, decimals, tmp_path):
    x = torch.tensor([0.854, -0.4077, 14.6, 25.0])
    found, = run(engine, Function(lambda x: torch.special.round(x, decimals=decimals)), [[x]], tmp_path)
    torch.testing.assert_close(found, torch.special.round(x, decimals=decimals))


@pytest.mark.parametrize("function", [torch.nn.functional.conv1d, torch.nn.functional.conv_transpose1d])
def test_a_bias_is_added_once_at_each_run(function, tmp_path):
    data, weight, bias = torch.randn(2, 3, 5), torch.randn(3, 3, 2), torch.randn(3)
    for found in run("openvino", Function(lambda bias: function(data, weight, bias)), [[bias]] * 3, tmp_path):
        torch.testing.assert_close(found, function(data, weight, bias), rtol=1e-5, atol=1e-5)


def test_a_bias_of_sizes_is_added_once_at_each_run(tmp_path):
    data, weight, x = torch.randn(2, 3, 5), torch.randn(4, 3, 2), torch.zeros(7)
    convolve = lambda x: torch.nn.functional.conv1d(data, weight, torch.arange(4.0) - x.shape[0])  # noqa: E731
    for found in run("openvino", Function(convolve), [[x]] * 3, tmp_path, [{0: torch.export.Dim("n", max=8)}]):
        torch.testing.assert_close(found, convolve(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("weight", [1.0, 0.7, 0.3, -0.2, torch.tensor([1.0, 0.5, 0.25, 1.0])], ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
@pytest.mark.parametrize("engine", ["none", "openvino", "onnx"])
def test_lerp_starts_from_the_nearer_end(engine, dtype, weight, tmp_path):
    start, end = torch.tensor([1e30 if dtype == torch.float32 else 6e4, -7e-4, 2.0, 1e-3], dtype=dtype), torch.tensor([1.0, 2.5, -3.0, 4.0], dtype=dtype)
    weight = weight.to(dtype) if isinstance(weight, torch.Tensor) else weight
    found, = run(engine, Function(lambda start, end: torch.lerp(start, end, weight)), [[start, end]], tmp_path)
    bound = 1e-5 if dtype == torch.float32 else 2e-3
    torch.testing.assert_close(found, torch.lerp(start, end, weight), rtol=bound, atol=bound)
