"""Slipway: programs of torch.export, compiled ahead of time and run without PyTorch.

    import slipway

    slipway.compile("model.pt2", "model.pte")          # or a torch.export.ExportedProgram
    model = slipway.load("model.pte")
    y = model(x, mask=m)                               # arrays of NumPy, tensors of PyTorch, anything with DLPack

Errors are those of slipway.errors. docs/python.md has the rest.
"""

import difflib
import functools
import importlib.util
import json
import os
import pathlib
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Union

from .lib import _native
from . import errors, trees
from .errors import Error

__all__ = [
    "Error", "Method", "Module", "ValueInfo", "compile", "engine_names", "errors", "inspect", "kernel_threads", "load", "options",
    "set_kernel_threads", "set_log",
]  # fmt: skip
__version__ = _native.version
_native.errors.update(errors.BY_CODE)

Path = Union[str, "os.PathLike[str]"]
_KINDS = {".pte": "pte", ".so": "library", ".pt2": "pt2", ".engine": "engine", ".trt": "engine"}
# What an option may be; None is as if it were not given.
Option = Union[None, bool, int, float, Path, Iterable[Any], Mapping[str, Any]]


def _find_wheels():
    """Tells the engines where the libraries of other wheels are, but where the user does."""
    for variable, package, folder in (("SLIPWAY_TENSORRT_LIB", "tensorrt_rtx", ""), ("SLIPWAY_NVRTC", "nvidia", "cu13/lib")):
        try:
            spec = importlib.util.find_spec(package)
        except (ImportError, ValueError):
            continue
        for place in (spec.submodule_search_locations or ()) if spec else ():
            found = pathlib.Path(place) / folder
            if found.is_dir() and any("rtx" in file.name or "nvrtc" in file.name for file in found.glob("*.so*")):
                os.environ.setdefault(variable, str(found))


_find_wheels()


def _warn(message):
    warnings.warn(message, RuntimeWarning, stacklevel=3)


def _texts(value):
    """The values of an option as texts: of a list each, of a dict "key=value" each."""
    if isinstance(value, bool):
        return ["true" if value else "false"]
    if isinstance(value, dict):
        return [f"{key}={item}" for key, item in value.items()]
    if isinstance(value, (list, tuple, set)):
        return [str(item) for item in value]
    return [os.fspath(value) if isinstance(value, os.PathLike) else str(value)]


@functools.cache
def _rows(kind):
    known = {"compile": _native.compile_options, "load": _native.load_options}
    return known[kind]() if kind in known else _native.engine_options(kind)


def _check_names(given, kind, *own):
    """That options are there, by their names; those of engines, with a dot, are looked up where their engine is."""
    known = [*own, *(row[0] for row in _rows(kind))]
    for name in given:
        if name not in known and "." not in name:
            near = difflib.get_close_matches(name, known, 1)
            meant = f"; did you mean {near[0]}?" if near else ""
            raise errors.InvalidArgumentError(f"there is no option {name}{meant} (slipway.options({kind!r}) lists them)")


def _kind_of(output, engine):
    """What the tool writes to a file of that name."""
    extension = pathlib.Path(os.fsdecode(output)).suffix
    if extension == ".onnx":
        return "onnx" if engine in (None, "none", "") else "engine_onnx"
    if extension not in _KINDS:
        raise errors.InvalidArgumentError(
            f"output {os.fsdecode(output)!r} ends in none of {', '.join(_KINDS)}, .onnx: say what to write by kind, such as kind='pte'"
        )
    return _KINDS[extension]


def _to_native(options):
    return [(name, os.fsencode(text)) for name, value in options.items() if value is not None for text in _texts(value)]


def set_log(function: Union[Callable[[int, str], Any], None], least: str = "info") -> None:
    """Has `function(level, message)` told what Slipway does, from the level `least` on ("debug", "info", "warning", "error"; as
    `level` numbers of the module logging), after each call, by its thread; None: nobody is told.

        slipway.set_log(logging.getLogger("slipway").log)
    """
    levels = ("debug", "info", "warning", "error")
    numbers = (10, 20, 30, 40)
    tell = function and (lambda level, message: function(numbers[level], message))
    _native.set_log(tell, levels.index(least))


def kernel_threads() -> int:
    """How many threads ExecuTorch's kernels and delegates share in the process."""
    return _native.kernel_threads()


def set_kernel_threads(count: int) -> None:
    """Sets that number. Not while anything runs."""
    _native.set_kernel_threads(count)


def engine_names() -> list[str]:
    """The engines that `compile` takes, the default first."""
    return _native.engine_names()


def options(kind: str = "compile") -> dict[str, tuple[str, str]]:
    """What there is, as {name: (what it takes, what it does)}: of "compile", of "load", or of an engine by its name."""
    return {name: (value, help) for name, value, help, _ in _rows(kind)}


def compile(
    program: Any,
    output: Path,
    engine: Union[None, str, Iterable[str]] = None,
    engine_options: Union[None, Mapping[str, Mapping[str, Option]]] = None,
    **options: Option,
) -> None:
    """Compiles an archive of torch.export, by its path, or a torch.export.ExportedProgram, and writes `output` atomically.

    engine: "openvino", a list by priority, or "none"; engine_names() has them. engine_options: {"tensorrt": {"target": "sm_90"}}.
    The other options are CompileOptions of include/slipway/compile.h by name, such as check="outside", cache="folder",
    bounds={"x.0": 64}, tune=True, require_full=True, exclude_ops=["aten.cos"]; options() lists them. What `output` ends in says what
    is written: .pte, .so, .onnx, .pt2 or .engine; kind="pte", "library", "onnx", "engine_onnx", "pt2", "aoti" or "engine" does,
    whatever its name.

    Warnings are RuntimeWarning. Other threads of Python run meanwhile.
    """
    given = dict(options)
    _check_names(given, "compile", "engine", "engine_options", "kind")
    if engine is not None:
        try:
            given["engines"] = engine if isinstance(engine, str) else ",".join(engine)
        except TypeError:
            raise TypeError(f"engine must be a name or a list of names, such as 'openvino', and is {engine!r}") from None
    given["output"] = given.pop("kind", None) or _kind_of(output, given.get("engines"))
    for name, values in (engine_options or {}).items():
        given.update({f"{name}.{option}": value for option, value in values.items()})
    if isinstance(program, (str, os.PathLike)):
        _native.compile(os.fsencode(program), os.fsencode(output), _to_native(given), _warn)
        return
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(program, torch.export.ExportedProgram):
        raise TypeError(f"program must be a path or a torch.export.ExportedProgram, and is a {type(program).__name__}")
    with tempfile.TemporaryDirectory() as folder:
        archive = os.path.join(folder, "program.pt2")
        torch.export.save(program, archive)
        _native.compile(os.fsencode(archive), os.fsencode(output), _to_native(given), _warn)


def inspect(path: Path) -> dict[str, Any]:
    """What a .pt2, a .pte or a bare engine holds, as docs/inspect.md describes it."""
    return json.loads(_native.inspect_json(os.fsencode(path)))


class ValueInfo:
    """One flattened input or output.

    name; text, such as "float32[s77, 3]"; dtype, PyTorch's name of a tensor's element type, or None for anything else; sizes, the
    (smallest, largest) of each dimension; is_mutated, whether the method writes to this input.
    """

    name: str
    text: str
    dtype: Union[None, str]
    sizes: tuple[tuple[int, int], ...]
    is_mutated: bool

    def __init__(self, info):
        self.name, self.text, self.dtype = info["name"], info["text"], info["dtype"]
        self.sizes, self.is_mutated = info["sizes"], info["is_mutated"]

    def __repr__(self):
        return f"<{self.name}: {self.text}>"


class Method:
    """A method of a module. Several threads may call it: one runs at a time, without Python's lock."""

    inputs: list[ValueInfo]
    outputs: list[ValueInfo]

    def __init__(self, native):
        self._native = native
        self._run = native.run
        self._input_tree, self._output_tree = json.loads(native.input_tree), json.loads(native.output_tree)
        self.inputs = [ValueInfo(info) for info in native.inputs()]
        self.outputs = [ValueInfo(info) for info in native.outputs()]
        self._flat = trees.is_flat(self._input_tree)
        self._single = self._output_tree["kind"] == "leaf"

    @property
    def name(self) -> str:
        return self._native.name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Runs it on what the exported module took, positional or by name, and gives what that gave.

        Inputs are arrays of NumPy, tensors of PyTorch or of another library with DLPack, read where they lie (what is not contiguous
        is copied; tensors of a GPU are for methods whose engines alone use them, and must be computed by then), or the literals
        that the export fixed, which may be left None. An input that the method writes to (ValueInfo.is_mutated) is written to.
        Outputs are new arrays of NumPy, or tensors of PyTorch where an input is one; of a type that NumPy lacks, such as bfloat16,
        objects for `torch.from_dlpack`. Shapes and types that don't fit are slipway.errors.InvalidArgumentError.
        """
        if self._flat and not kwargs and len(args) == len(self.inputs):
            leaves = args
        else:
            leaves = self._leaves(args, kwargs)
        outputs = self._run(leaves)
        torch = sys.modules.get("torch")
        if torch is not None and any(isinstance(leaf, torch.Tensor) for leaf in leaves):
            outputs = [torch.from_dlpack(output) if hasattr(output, "__dlpack__") else output for output in outputs]
        return outputs[0] if self._single else trees.unflatten(self._output_tree, iter(outputs))

    def _leaves(self, args, kwargs):
        arguments, keywords = self._input_tree["children"]
        positional, names = arguments.get("children", ()), keywords.get("keys", ())
        args, kwargs = list(args), dict(kwargs)
        # What is positional may be named, too, where it is one value.
        position = sum(_count(child) for child in positional[: len(args)])
        for child in positional[len(args) :]:
            name = self.inputs[position].name if position < len(self.inputs) else ""
            if child["kind"] != "leaf" or name not in kwargs:
                break
            args.append(kwargs.pop(name))
            position += 1
        if len(args) != len(positional) or kwargs.keys() != set(names):
            expected = [info.name for info in self.inputs]
            raise TypeError(
                f"{self.name}() takes {len(positional)} positional and the keywords {list(names)}, and got {len(args)} and"
                f" {list(kwargs)}; its inputs, flattened, are {expected}"
            )
        leaves = []
        for place, (child, value) in enumerate(zip(positional, args)):
            trees.flatten(child, value, f"argument {place}", leaves)
        for name, child in zip(names, keywords.get("children", ())):
            trees.flatten(child, kwargs[name], f"argument {name}", leaves)
        return leaves

    def cancel(self) -> None:
        """Stops the call that another thread waits for, before its next instruction: it raises CancelledError there, and the
        state has its initial value then. Without one, nothing happens."""
        self._native.cancel()

    def prepare(self) -> None:
        """Does now what the first call would do."""
        self._native.prepare()

    def state(self) -> dict[str, Any]:
        """The mutable buffers by fully qualified name, as the last call left them: arrays in the module's memory. Writing to one
        before the next call sets the state."""
        return self._native.state()

    def reset_state(self) -> None:
        """Gives every mutable buffer its initial value again."""
        self._native.reset_state()

    @property
    def weight_streaming_budget(self) -> int:
        """Bytes of weights on the device, of all engines together (Method::weight_streaming_budget of slipway/module.h)."""
        return self._native.weight_streaming_budget()

    @weight_streaming_budget.setter
    def weight_streaming_budget(self, number: int) -> None:
        self._native.set_weight_streaming_budget(number)

    def __repr__(self):
        of = lambda infos: ", ".join(f"{info.name}: {info.text}" for info in infos)  # noqa: E731
        return f"<slipway method {self.name}({of(self.inputs)}) -> ({of(self.outputs)})>"


def _count(tree):
    return 1 if tree["kind"] == "leaf" else sum(map(_count, tree.get("children", ())))


class Module:
    """A loaded program. Called, it runs its only method, or "forward" among several."""

    def __init__(self, native):
        self._native = native
        self._methods = {}

    @property
    def method_names(self) -> list[str]:
        return self._native.names()

    def method(self, name: Union[None, str] = None) -> Method:
        """A method by name; the same object each time. NotFoundError for a name that the file does not have."""
        if name not in self._methods:
            self._methods[name] = Method(self._native.method(name))
        return self._methods[name]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.method()(*args, **kwargs)

    def __repr__(self):
        return f"<slipway module: {', '.join(map(repr, map(self.method, self.method_names)))}>"


def load(source: Union[Path, bytes, bytearray, memoryview], **options: Option) -> Module:
    """Loads a .pte by its path, which is mapped, or as bytes, which are copied: no weight is read.

    Options are LoadOptions of include/slipway/module.h by name, such as engine_threads=2, isolate=True, device="cuda:1",
    data_file="engines.ptd", require_same_environment=True; options("load") lists them. Warnings are RuntimeWarning.
    """
    _check_names(options, "load")
    is_content = isinstance(source, (bytes, bytearray, memoryview))
    content = bytes(source) if is_content else os.fsencode(source)
    return Module(_native.Module(content, is_content, _to_native(options), _warn))
