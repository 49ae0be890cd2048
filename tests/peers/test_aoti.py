"""Models as AOTInductor's packages and bare libraries, loaded by PyTorch in Python and in C++, against what it computed itself."""

import collections
import ctypes
import dataclasses
import gc
import json
import os
import pathlib
import re
import subprocess
import threading

import numpy as np
import pytest
import torch
import torch._inductor.package
import torch.utils._pytree as pytree

import slipway_cli

GOLDEN = pathlib.Path(__file__).parents[2] / "tests/data/golden"
MODELS = json.loads((GOLDEN / "manifest.json").read_text())["models"]
LIBRARY = pathlib.Path(slipway_cli.TOOL).parent / "libslipway_c.so"
TORCH = pathlib.Path(torch.__file__).parent
# Of c10::ScalarType.
NUMBERS = {torch.int64: 4, torch.float32: 6, torch.bool: 11}


@pytest.fixture(autouse=True)
def runtime(monkeypatch):
    monkeypatch.setenv("SLIPWAY_C_LIBRARY", str(LIBRARY))


def load_package(path, **options):
    return torch._inductor.package.load_package(str(path), **options)


def load_library(path, device="cpu"):
    return torch._export.aot_load(str(path), device)


def is_tensor(value):
    return "file" in value


# Those that take tensors, but for constants.
CALLABLE = [name for name, model in MODELS.items() if model["cases"]]


def tensors(values):
    return [torch.from_numpy(np.load(GOLDEN / value["file"])) for value in values if is_tensor(value)]


def as_given(value):
    """What PyTorch's loader has of an output: numbers are tensors."""
    if value is None or isinstance(value, torch.Tensor):
        return value
    return torch.tensor(value, dtype=torch.float64 if isinstance(value, float) else None)


def outputs_of(case):
    return [tensors([value])[0] if is_tensor(value) else as_given(value["value"]) for value in case["outputs"]]


def compile_to(path, name, engine="none"):
    archive = GOLDEN / MODELS[name]["files"]["training"] if name in MODELS else name
    slipway_cli.call("compile", archive, "-o", path, "--engine", engine, *(["--format", "aoti"] if path.suffix == ".pt2" else []))
    return path


def expect_same(found, expected):
    assert len(found) == len(expected)
    for one, other in zip(found, expected):
        if other is None:
            assert one is None
            continue
        # Sums of halves in another order may be rounded to the next number.
        tolerance = 1e-3 if other.dtype == torch.float16 else 1e-5
        torch.testing.assert_close(one, other, rtol=tolerance, atol=tolerance, equal_nan=True)


@pytest.mark.parametrize("engine", ["none", "openvino"])
@pytest.mark.parametrize("name", CALLABLE)
def test_golden_programs(name, engine, tmp_path):
    library = compile_to(tmp_path / "model.so", name, engine)
    package = tmp_path / "package.pt2"
    slipway_cli.call("compile", library, "-o", package, "--format", "aoti")
    for case in MODELS[name]["cases"]:
        for loaded in (load_package(package).loader, torch._C._aoti.AOTIModelContainerRunnerCpu(str(library), 1)):
            expect_same(loaded.run(tensors(case["inputs"])), outputs_of(case))


def test_values_nest_as_in_python(tmp_path):
    class Nested(torch.nn.Module):
        def forward(self, pair, *, scale, flag=True):
            a, b = pair
            return {"sum": a + b["x"], "rest": [a * scale, (b["x"],)]}

    x = torch.randn(2, 3)
    args, kwargs = ((x, {"x": x * 2}),), {"scale": torch.tensor(3.0), "flag": True}
    model = Nested()
    torch.export.save(torch.export.export(model, args, kwargs), tmp_path / "model.pt2")
    for suffix, load in ((".pt2", load_package), (".so", load_library)):
        loaded = load(compile_to(tmp_path / f"package{suffix}", tmp_path / "model.pt2"))
        torch.testing.assert_close(loaded(*args, **kwargs), model(*args, **kwargs))


Point = collections.namedtuple("Point", ["x", "y"])
pytree._register_namedtuple(Point, serialized_type_name="test_aoti.Point")


@dataclasses.dataclass
class Pair:
    left: torch.Tensor
    right: torch.Tensor


torch.export.register_dataclass(Pair, serialized_type_name="test_aoti.Pair")


class Typed(torch.nn.Module):
    def forward(self, point, by, *, pair):
        a, b = point.x + by[0], pair.left * pair.right
        keyed = {1: a, "1": b, 2.5: a + 1, None: b + 1}
        return Point(keyed, Pair(b, a)), collections.OrderedDict(b=a, a=b), collections.deque([a], 3), collections.defaultdict(list, x=b)


def test_values_nest_in_types_of_python(tmp_path):
    x = torch.randn(2, 3)
    args, kwargs = (Point(x, x * 2), {0: x * 3}), {"pair": Pair(x * 4, x * 5)}
    torch.export.save(torch.export.export(Typed(), args, kwargs), tmp_path / "model.pt2")
    library = compile_to(tmp_path / "model.so", tmp_path / "model.pt2")
    slipway_cli.call("compile", library, "-o", tmp_path / "package.pt2", "--format", "aoti")
    expected, nesting = pytree.tree_flatten(Typed()(*args, **kwargs))
    for loaded in (load_library(library), load_package(tmp_path / "package.pt2")):
        found, found_nesting = pytree.tree_flatten(loaded(*args, **kwargs))
        expect_same(found, expected)
        assert found_nesting == nesting


class Numbers(torch.nn.Module):
    def forward(self, x):
        return {"rows": x.shape[0], "half": x.shape[0] / 2, "sum": x.int().sum().item(), "mean": x.mean().item(), "ratio": 2.5, "flag": True, "none": None, "x": x + 1}


def test_numbers_come_as_tensors(tmp_path):
    x = torch.randn(3, 2) * 9
    archive = torch.export.export(Numbers(), (x,), dynamic_shapes=({0: torch.export.Dim("rows", max=9)},))
    torch.export.save(archive, tmp_path / "model.pt2")
    loaded = load_package(compile_to(tmp_path / "package.pt2", tmp_path / "model.pt2"))
    for x in (x, torch.randn(5, 2) * 9):
        found = loaded(x)
        # The mean is one of float32, in another order.
        torch.testing.assert_close(found, {name: as_given(value) for name, value in Numbers()(x).items()}, rtol=1e-5, atol=1e-5)


def test_state_goes_on(tmp_path):
    case = MODELS["mutated_buffer"]["cases"][0]
    inputs = tensors(case["inputs"])
    program = torch.export.load(GOLDEN / "mutated_buffer.pt2").module()
    loaded = load_package(compile_to(tmp_path / "package.pt2", "mutated_buffer"), num_runners=4)
    for _ in range(3):
        torch.testing.assert_close(loaded(*inputs), program(*inputs))


def error_of(call, *arguments):
    with pytest.raises(RuntimeError) as caught:
        call(*arguments)
    return str(caught.value)


def test_errors(tmp_path):
    loaded = load_package(compile_to(tmp_path / "package.pt2", "mlp"))
    x = tensors(MODELS["mlp"]["cases"][0]["inputs"])[0]
    assert "input_handles[0]: unmatched stride value at 1, expected: 1, but got: 2" in error_of(loaded, x.T.contiguous().T)
    assert "input_handles[0]: unmatched dtype, expected: 6(float32), but got: 7(float64)" in error_of(loaded, x.double())
    assert "input_handles[0]: unmatched device type, expected: 0(cpu)" in error_of(loaded, x.to("meta"))
    assert "float32[3, 9]" in error_of(loaded, torch.zeros(3, 9))
    assert "takes 1 tensors" in error_of(loaded.loader.run, [x, x])
    # And nothing is broken.
    expect_same(loaded(x) if isinstance(loaded(x), (tuple, list)) else [loaded(x)], tensors(MODELS["mlp"]["cases"][0]["outputs"]))
    assert loaded.get_constant_fqns() == []


def test_other_devices_are_refused(tmp_path, capfd):
    library = ctypes.CDLL(str(compile_to(tmp_path / "model.so", "mlp")))
    handle, text = ctypes.c_void_p(), ctypes.c_char_p()
    assert library.AOTInductorModelContainerCreateWithDevice(ctypes.byref(handle), ctypes.c_size_t(1), b"xpu:0", None) == 1
    library.AOTInductorGetLastError(ctypes.byref(text))
    assert "'xpu:0'" in text.value.decode() and "'cpu' and 'cuda' alone" in text.value.decode()
    assert not handle.value
    # PyTorch's loader does not ask for it.
    assert "'xpu:0'" in capfd.readouterr().err


class Repeated(torch.nn.Module):
    def forward(self, x, count):
        return x * count


class Named(torch.nn.Module):
    def forward(self, x):
        return x + 1, "plus one"


def test_what_pytorch_cannot_call_is_refused(tmp_path):
    x, size = torch.ones(2), torch.export.Dim.DYNAMIC
    for model, inputs, shapes, problem in (
        (Repeated(), (x, 3), (None, size), "input 1 'count' is int .*, but PyTorch's loader of packages passes tensors alone"),
        (Named(), (x,), None, "output 1 .* takes tensors, numbers and None alone"),
    ):
        torch.export.save(torch.export.export(model, inputs, dynamic_shapes=shapes), tmp_path / "model.pt2")
        with pytest.raises(slipway_cli.ToolError, match=problem):
            slipway_cli.call("compile", tmp_path / "model.pt2", "-o", tmp_path / "package.pt2", "--format", "aoti")
    assert not (tmp_path / "package.pt2").exists()


def test_functions_are_those_that_the_docs_name(tmp_path):
    def short(names):
        return {re.sub("^AOTInductor(Model(Container)?)?", "", name) for name in names}

    library = compile_to(tmp_path / "model.so", "mlp")
    listing = subprocess.run(["nm", "-D", "--defined-only", library], check=True, capture_output=True, text=True).stdout
    table = (GOLDEN.parents[2] / "docs/aoti.md").read_text().partition("| --- | --- |\n")[2].partition("\n\n")[0]
    documented = [name for row in table.splitlines() for name in re.findall(r"`(\w+)`", row.split("|")[1])]
    assert short(re.findall(r" T (AOTInductor\w+)", listing)) == short(documented)


def resident():
    return int(pathlib.Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_calls_and_loads_leave_nothing_behind(tmp_path):
    path = compile_to(tmp_path / "package.pt2", "mlp", "openvino")
    inputs = tensors(MODELS["mlp"]["cases"][0]["inputs"])
    loaded = load_package(path)
    for calls in (200, 1000):
        before = resident()
        for _ in range(calls):
            loaded(*inputs)
    assert resident() - before < 1 << 20
    for loads in (5, 10):
        before = resident()
        for _ in range(loads):
            load_package(path)(*inputs)
            gc.collect()
    assert resident() - before < 8 << 20


def test_threads_have_instances_of_their_own(tmp_path):
    loaded = load_package(compile_to(tmp_path / "package.pt2", "transformer_layer"), num_runners=3)
    case = MODELS["transformer_layer"]["cases"][0]
    inputs, outputs = tensors(case["inputs"]), tensors(case["outputs"])
    problems = []

    def call():
        for _ in range(20):
            try:
                expect_same(loaded.loader.run(inputs), outputs)
            except Exception as problem:
                problems.append(problem)

    threads = [threading.Thread(target=call) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems


def is_plain(value):
    return is_tensor(value) and getattr(torch, value["dtype"]) in NUMBERS


def test_cpp_program(tmp_path):
    program = tmp_path / "aoti_program"
    source = pathlib.Path(__file__).parent / "aoti_program.cc"
    libraries = ["-ltorch", "-ltorch_cpu", "-lc10"]
    subprocess.run(
        ["g++", "-std=c++20", "-O0", f"-I{TORCH}/include", source, "-o", program,
         f"-L{TORCH}/lib", "-Wl,--no-as-needed", *libraries, f"-Wl,-rpath,{TORCH}/lib", "-pthread"],
        check=True,
    )
    # Those whose calls do not depend on earlier ones.
    plain = [(name, "none") for name in CALLABLE if all(is_plain(value) for case in MODELS[name]["cases"] for value in case["outputs"]) and "buffer" not in name]
    assert len(plain) > 10
    files = []
    for name, engine in (*plain, ("conv_dyn", "openvino"), ("quantized_xnnpack", "xnnpack")):
        package = compile_to(tmp_path / f"{name}_{engine}.pt2", name, engine)
        cases = package.with_suffix(".cases")
        with open(cases, "wb") as file:
            for case in MODELS[name]["cases"]:
                inputs, outputs = tensors(case["inputs"]), tensors(case["outputs"])
                file.write(f"{len(inputs)} {len(outputs)} ".encode())
                for tensor in inputs + outputs:
                    array = tensor.numpy()
                    numbers = NUMBERS[tensor.dtype], tensor.dim(), *tensor.shape, array.nbytes
                    file.write(" ".join(map(str, numbers)).encode() + b"\n" + array.tobytes())
        files += package, cases
    subprocess.run([program, "cpu", *files], check=True, timeout=120)
