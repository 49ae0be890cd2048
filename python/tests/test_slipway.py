"""The package as pip installs it, without PyTorch; tests/peers/test_python.py has what needs that."""

import gc
import importlib.metadata
import inspect
import os
import pathlib
import re
import subprocess
import sys
import threading
import time
import typing
import warnings

import numpy as np
import pytest
import slipway
from conftest import GOLDEN, ROOT

TOLERANCE = {"rtol": 1e-5, "atol": 1e-5}
HALF = {"rtol": 1e-3, "atol": 1e-3}


@pytest.mark.parametrize("name", ["mlp", "conv_dyn", "scalars", "consts", "alias_strides", "llama_prefill", "lstm", "complex_scale", "conv_half", "scan"])
def test_runs_what_pytorch_ran(golden, name):
    case = golden(name)
    model = case.load()
    outputs = model.method()._run(case.inputs)
    assert len(outputs) == len(case.outputs)
    for output, expected in zip(outputs, case.outputs):
        if isinstance(expected, np.ndarray):
            assert output.dtype == expected.dtype and output.shape == expected.shape
            np.testing.assert_allclose(output, expected, **(HALF if expected.dtype == np.float16 else TOLERANCE))
        else:
            assert output == expected


@pytest.mark.parametrize("engine", ["openvino", "xnnpack", ["openvino", "xnnpack"]])
def test_engines(golden, engine):
    case = golden("mlp")
    model = case.load(engine)
    np.testing.assert_allclose(model(*case.inputs), case.outputs[0], **TOLERANCE)
    [method] = slipway.inspect(case.file)["methods"]
    assert method["engines"][0]["engine"] == (engine if isinstance(engine, str) else engine[0])


def test_the_choice_may_be_measured(golden):
    case = golden("mlp")
    slipway.compile(case.archive, case.file, engine=["openvino", "xnnpack"], tune=True)
    assert len(slipway.inspect(case.file)["manifest"]["tuning"]["cuts"]) == 4


def test_rebuilds_trees(golden):
    case = golden("dict_io")
    model = case.load()
    a, b, first, second, flag, bias = case.inputs
    result = model({"b": b, "a": a}, (first, second), flag=flag, bias=bias)
    leaves = []
    walk = lambda v: [walk(i) for i in (v.values() if isinstance(v, dict) else v)] if isinstance(v, (dict, list, tuple)) else leaves.append(v)  # noqa: E731
    walk(result)
    tensors = [leaf for leaf in leaves if isinstance(leaf, np.ndarray)]
    expected = [leaf for leaf in case.outputs if isinstance(leaf, np.ndarray)]
    for output, wanted in zip(tensors, expected, strict=True):
        np.testing.assert_allclose(output, wanted, **TOLERANCE)
    assert not isinstance(result, np.ndarray)
    for arguments, keywords, message in [
        (({"a": a}, (first, second)), {"flag": flag, "bias": bias}, r"argument 0 must be a dict with the keys \['a', 'b'\]"),
        (({"a": a, "b": b}, (first,)), {"flag": flag, "bias": bias}, "argument 1 must be a tuple of 2, and has 1"),
        (({"a": a, "b": b}, first[0, 0]), {"flag": flag, "bias": bias}, "argument 1 must be a tuple of 2"),
        (({"a": a, "b": b}, (first, second)), {"flag": flag}, r"the keywords \['flag', 'bias'\], and got 2 and \['flag'\]"),
    ]:
        with pytest.raises(TypeError, match=message):
            model(*arguments, **keywords)


def test_trees_of_every_kind():
    leaf = {"kind": "leaf"}
    point = {"kind": "namedtuple", "keys": ["x", "y"], "type_name": "models.Point", "children": [leaf, leaf]}
    tree = {"kind": "dict", "keys": ["p", "n"], "children": [point, {"kind": "list", "children": [{"kind": "none"}, leaf]}]}
    value = slipway.trees.unflatten(tree, iter([1, 2, 3]))
    assert value == {"p": (1, 2), "n": [None, 3]}
    assert type(value["p"]).__name__ == "Point" and value["p"].y == 2
    leaves = []
    slipway.trees.flatten(tree, value, "x", leaves)
    assert leaves == [1, 2, 3]
    pair = {"kind": "list", "children": [leaf, leaf]}
    for wrong in (np.zeros((2, 2)), {0: 1, 1: 2}, "ab"):
        with pytest.raises(TypeError, match="must be a list of 2"):
            slipway.trees.flatten(pair, wrong, "x", [])
    with pytest.raises(TypeError, match="must be a dict with the keys"):
        slipway.trees.flatten({"kind": "dict", "keys": ["1"], "children": [leaf]}, {1: 2, "1": 3}, "x", [])
    with pytest.raises(TypeError, match=r"x\['n'\]\[0\] must be None"):
        slipway.trees.flatten(tree, {"p": (1, 2), "n": [0, 3]}, "x", [])


def test_inputs_by_name_and_as_they_lie(golden):
    case = golden("mlp")
    model = case.load()
    [x], [y] = case.inputs, case.outputs
    np.testing.assert_allclose(model(x=x), y, **TOLERANCE)
    np.testing.assert_allclose(model(np.asfortranarray(x)), y, **TOLERANCE)
    np.testing.assert_allclose(model(np.repeat(x, 2, axis=1)[:, ::2]), y, **TOLERANCE)
    x.flags.writeable = False
    np.testing.assert_allclose(model(x), y, **TOLERANCE)
    for wrong, error, message in [
        (np.zeros((3, 3), np.float32), slipway.errors.InvalidArgumentError, "float32"),
        (x.astype(np.float64), slipway.errors.InvalidArgumentError, "float64"),
        ([[1.0]], slipway.errors.InvalidArgumentError, "input 'x' is a list: give an array of NumPy"),
        (None, slipway.errors.InvalidArgumentError, "x"),
    ]:
        with pytest.raises(error, match=re.escape(message)) as raised:
            model(wrong)
        assert isinstance(raised.value, ValueError) and isinstance(raised.value, slipway.Error)
    with pytest.raises(TypeError, match=r"forward\(\) takes 1 positional"):
        model(x, x)
    with pytest.raises(TypeError, match=r"got 0 and \['z'\]; its inputs, flattened, are \['x'\]"):
        model(z=x)


def test_inputs_that_are_no_tensors_say_so(golden):
    [x] = golden("mlp").inputs
    model = golden("mlp").load()
    for wrong, message in [
        (x.astype(">f4"), "input 'x' is a ndarray of >f4: give"),
        (np.zeros((2, 8), [("a", np.float32)]), "give an array of NumPy with numbers in this machine's byte order"),
        (2**70, "input 'x' is an integer of more than 64 bits"),
        ("abc\0def", "'abc...' has a zero byte"),
    ]:
        with pytest.raises(slipway.errors.InvalidArgumentError, match=re.escape(message)):
            model(wrong)
    with pytest.raises(slipway.errors.InvalidArgumentError, match="zero byte"):
        slipway.load("a.pte\0b")
    with pytest.raises(slipway.errors.InvalidArgumentError, match="zero byte"):
        slipway.compile("a.pt2", "b.pte", cache="c\0d")


def test_paths_need_not_be_utf8(golden, tmp_path):
    case = golden("mlp")
    file = tmp_path / os.fsdecode(b"m\xff.pte")
    slipway.compile(case.archive, file, engine="none")
    np.testing.assert_allclose(slipway.load(file)(*case.inputs), case.outputs[0], **TOLERANCE)


EXIT = """
import sys, threading, time
import numpy, slipway
model = slipway.load(sys.argv[1])
x = numpy.load(sys.argv[2])
def work():
    while True:
        model(x)
for _ in range(3):
    threading.Thread(target=work, daemon=True).start()
time.sleep(0.2)
sys.exit(3)
"""


def test_a_program_may_end_while_something_runs(golden):
    case = golden("mlp")
    case.load()
    for _ in range(3):
        done = subprocess.run([sys.executable, "-c", EXIT, case.file, GOLDEN / "mlp.0.in0.npy"], timeout=60)
        assert done.returncode == 3


def test_finalizers_may_use_the_module(golden):
    case = golden("mutated_buffer")
    method = case.load().method()
    calls = []

    class Knot:
        def __init__(self):
            self.own = self

        def __del__(self):
            calls.append(method.state())

    before = gc.get_threshold()
    gc.set_threshold(2)
    try:
        for _ in range(200):
            Knot()
            method._run(case.inputs)
    finally:
        gc.set_threshold(*before)
    assert calls


def test_outputs_are_the_callers_own(golden):
    case = golden("mlp")
    method = case.load().method()
    first = method(*case.inputs)
    kept = first.copy()
    method(case.inputs[0] + 1)
    np.testing.assert_array_equal(first, kept)
    first[:] = 0
    del method
    gc.collect()
    assert not first.any()


def test_state(golden):
    case = golden("mutated_buffer")
    method = case.load().method()
    before = {name: array.copy() for name, array in method.state().items()}
    assert before
    method._run(case.inputs)
    after = method.state()
    assert any((after[name] != before[name]).any() for name in before)
    method.reset_state()
    for name, array in method.state().items():
        np.testing.assert_array_equal(array, before[name])
        array[...] = 5
    assert all((array == 5).all() for array in method.state().values())
    kept = method.state()
    del method
    gc.collect()
    assert all((array == 5).all() for array in kept.values())


def test_threads_take_turns(golden):
    case = golden("conv_dyn")
    model = case.load()
    failures = []

    def work():
        for _ in range(50):
            if not np.allclose(model(*case.inputs), case.outputs[0], **TOLERANCE):
                failures.append("another result")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_python_goes_on_while_something_compiles(golden):
    case = golden("unet")
    ticks, done = [], threading.Event()

    def tick():
        while not done.is_set():
            ticks.append(time.perf_counter())
            time.sleep(0.001)

    thread = threading.Thread(target=tick)
    thread.start()
    started = time.perf_counter()
    case.load()
    ended = time.perf_counter()
    done.set()
    thread.join()
    assert sum(started < tick < ended for tick in ticks) > 3


def test_loads_bytes_and_describes_itself(golden):
    case = golden("conv_dyn")
    case.load()
    model = slipway.load(case.file.read_bytes(), engine_threads=1)
    assert model.method_names == ["forward"] and model.method("forward") is model.method("forward")
    [x], [y] = model.method().inputs, model.method().outputs
    assert (x.name, x.dtype, x.sizes[0]) == ("x", "float32", (1, 64)) and not x.is_mutated
    assert re.fullmatch(r"<slipway module: <slipway method forward\(x: float32\[s\d+, 3, 16, 16\]\) -> \(.*\)>>", repr(model))
    np.testing.assert_allclose(model(*case.inputs), case.outputs[0], **TOLERANCE)


def test_errors_have_kinds(golden, tmp_path):
    case = golden("mlp")
    case.load()
    damaged = tmp_path / "damaged.pte"
    damaged.write_bytes(case.file.read_bytes()[:-100])
    for call, error in [
        (lambda: slipway.load(tmp_path / "none.pte"), (slipway.errors.NotFoundError, slipway.errors.FileError)),
        (lambda: slipway.load(damaged), slipway.errors.InvalidFileError),
        (lambda: slipway.load(case.file, no_such=1), slipway.errors.InvalidArgumentError),
        (lambda: slipway.load(case.file).method("other"), slipway.errors.NotFoundError),
        (lambda: slipway.compile(case.archive, case.file, engine="warp"), slipway.errors.InvalidArgumentError),
        (lambda: slipway.inspect(__file__), slipway.errors.InvalidFileError),
    ]:
        with pytest.raises(error):
            call()
    with pytest.raises(TypeError, match="must be a path or a torch.export.ExportedProgram, and is a int"):
        slipway.compile(3, case.file)


def test_warnings_are_pythons(golden):
    case = golden("conv_dyn")
    with pytest.warns(RuntimeWarning, match="option 'bounds' can lower that"):
        slipway.compile(case.archive, case.file, engine="none", bounds={"x.0": 1000})
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        slipway.compile(case.archive, case.file, engine="none", bounds={"x.0": 1000})
    assert said[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(RuntimeWarning):
            slipway.compile(case.archive, case.file, engine="none", bounds={"x.0": 1000})


def test_options_are_listed_and_have_an_effect(golden, tmp_path):
    assert slipway.engine_names()[0] == "openvino"
    assert {"engines", "tune", "bounds"} <= slipway.options().keys()
    assert {"isolate", "engine_threads"} <= slipway.options("load").keys()
    assert "target" in slipway.options("cuda")
    case = golden("conv_dyn")
    slipway.compile(case.archive, case.file, engine="none", bounds={"x.0": 4}, require_full=None)
    with pytest.raises(slipway.errors.InvalidArgumentError, match="1..4|at most 4"):
        slipway.load(case.file)(np.zeros((5, 3, 16, 16), np.float32))
    slipway.compile(case.archive, tmp_path / "m.onnx", kind="onnx", engine="none")
    assert (tmp_path / "m.onnx").stat().st_size > 1000
    model = case.load(isolate=True)
    np.testing.assert_allclose(model(*case.inputs), case.outputs[0], **TOLERANCE)


def test_the_tool_and_the_version():
    said = subprocess.run([sys.executable, "-m", "slipway", "--version"], capture_output=True, text=True, check=True).stdout
    assert slipway.__version__ in said
    assert importlib.metadata.version("slipway") == slipway.__version__


@pytest.mark.parametrize("page", ["python/README.md", "docs/python.md"])
def test_what_the_pages_show(golden, page, tmp_path, monkeypatch):
    """Each example, one after another, on a model of the right inputs."""
    monkeypatch.chdir(tmp_path)
    case = golden("mlp")
    (tmp_path / "model.pt2").write_bytes(case.archive.read_bytes())
    names = {"x": case.inputs[0]}
    examples = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)
    assert examples
    for example in examples:
        if "import torch" not in example:
            exec(compile(example, page, "exec"), names)
    np.testing.assert_allclose(names["y"], case.outputs[0], **TOLERANCE)


def test_names_of_files_say_what_is_written(golden, tmp_path):
    archive = golden("mlp").archive
    slipway.compile(archive, tmp_path / "m.onnx", engine="none")
    assert b"ET12" not in (tmp_path / "m.onnx").read_bytes()[:16]
    slipway.compile(archive, tmp_path / "m.pt2", engine="none")
    assert (tmp_path / "m.pt2").read_bytes()[:2] == b"PK"
    slipway.compile(archive, tmp_path / "model", kind="pte", engine="none")
    assert slipway.load(tmp_path / "model").method_names == ["forward"]
    with pytest.raises(slipway.errors.InvalidArgumentError, match="ends in none of .pte, .so"):
        slipway.compile(archive, tmp_path / "model.foo", engine="none")
    assert not (tmp_path / "model.foo").exists()


def test_options_that_are_not_there_are_named(golden, tmp_path):
    case = golden("mlp")
    with pytest.raises(slipway.errors.InvalidArgumentError, match=r"no option engin; did you mean engine\?"):
        slipway.compile(case.archive, case.file, engin="none")
    with pytest.raises(slipway.errors.InvalidArgumentError, match=r"no option engine_thread; did you mean engine_threads\?.*'load'"):
        case.load(engine_thread=1)
    with pytest.raises(TypeError, match="engine must be a name or a list of names"):
        slipway.compile(case.archive, case.file, engine=3)


def test_what_is_public_has_types(golden):
    """For editors and type checkers: py.typed says that it does."""
    parts = [getattr(slipway, name) for name in slipway.__all__ if name not in ("Error", "errors")]
    for part in list(parts):
        if inspect.isclass(part):
            parts += [member for name, member in vars(part).items() if name == "__call__" or not name.startswith("_")]
    for part in parts:
        for function in (part.fget, part.fset) if isinstance(part, property) else (part,):
            if inspect.isfunction(function):
                named = set(inspect.signature(function).parameters) - {"self"}
                assert named | {"return"} == typing.get_type_hints(function).keys(), function
    method = golden("mlp").load().method()
    for value in (method, method.inputs[0]):
        for name, hint in typing.get_type_hints(type(value)).items():
            alternatives = typing.get_args(hint) if typing.get_origin(hint) is typing.Union else (hint,)
            assert isinstance(getattr(value, name), tuple(typing.get_origin(each) or each for each in alternatives)), name


def test_nothing_was_imported_besides(golden):
    assert "torch" not in sys.modules and "executorch" not in sys.modules
    assert pathlib.Path(slipway.__file__).parent.is_dir() and GOLDEN.is_dir()


def test_every_code_of_the_c_interface_has_its_error():
    header = (ROOT / "include/slipway/slipway_c.h").read_text()
    [codes] = re.findall(r"enum slipway_error_code \{(.*?)\}", header, re.DOTALL)
    names = {int(code): name.title().replace("_", "") for name, code in re.findall(r"SLIPWAY_(\w+) = (\d+)", codes)}
    names[7] = "File"  # Python has another IOError
    assert {code: f"{name}Error" for code, name in names.items()} == {code: error.__name__ for code, error in slipway.errors.BY_CODE.items()}


def test_log_threads_and_cancel(golden):
    case = golden("mlp")
    case.load()
    model, told = case.file, []
    slipway.set_log(lambda level, message: told.append((level, message)))
    slipway.load(model).method().prepare()
    slipway.set_log(None)
    assert any(level == 20 and "prepared in" in message for level, message in told), told
    count = len(told)
    method = slipway.load(model).method()
    method.prepare()
    assert len(told) == count
    with pytest.raises(ValueError):
        slipway.set_log(print, "loud")
    slipway.set_kernel_threads(1)
    assert slipway.kernel_threads() == 1
    with pytest.raises(slipway.errors.InvalidArgumentError):
        slipway.set_kernel_threads(0)
    method.cancel()  # nothing runs
    method.prepare()
