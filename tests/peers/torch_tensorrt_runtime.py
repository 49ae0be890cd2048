"""Torch-TensorRT's own code, in a process of its own: its operators, its runtimes' constructors and the shapes that its tracing
gives, for archives that Slipway wrote. It prints what became of each as JSON.

usage: torch_tensorrt_runtime.py TENSORRT PLACEHOLDER OBJECT

TENSORRT is the library of TensorRT-RTX. Of its Python package and of what only builds engines, stand-ins are imported, and
PyTorch's answer to which GPU there is is made up: nothing here runs on one.
"""

import base64
import ctypes
import importlib
import importlib.machinery
import importlib.util
import json
import pathlib
import pickle
import sys
import types
import zipfile
from unittest import mock

import torch

RUNTIME = "torch_tensorrt.dynamo.runtime"


class StandIn(types.ModuleType):
    """Has any name that it is asked for."""

    __version__ = "1.6.1"
    _package_name = "tensorrt_rtx"

    def __init__(self, name):
        super().__init__(name)
        self.__spec__ = importlib.machinery.ModuleSpec(name, None, is_package=True)
        self.__path__ = []

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        value = mock.MagicMock(name=name)
        setattr(self, name, value)
        return value


def prepare(tensorrt):
    ctypes.CDLL(tensorrt, ctypes.RTLD_GLOBAL)
    torch.cuda.get_device_capability = lambda *_: (8, 6)
    torch.cuda.current_device = lambda: 0
    for name in ("tensorrt", "dllist", "psutil", "torch_tensorrt.dynamo.conversion"):
        sys.modules[name] = StandIn(name)
    # Packages without what they import.
    [folder] = importlib.util.find_spec("torch_tensorrt").submodule_search_locations
    for path in ("", "dynamo", "dynamo/lowering", "dynamo/runtime", "dynamo/runtime/meta_ops", "runtime"):
        name = ".".join(["torch_tensorrt", *pathlib.Path(path).parts])
        sys.modules[name] = types.ModuleType(name)
        sys.modules[name].__path__ = [str(pathlib.Path(folder, path))]
        if path:
            parent, _, child = name.rpartition(".")
            setattr(sys.modules[parent], child, sys.modules[name])
    sys.modules["torch_tensorrt"].runtime.get_cudagraphs_mode = lambda: False
    # Opens the library with the C++ runtime.
    sys.modules["torch_tensorrt"].ENABLED_FEATURES = importlib.import_module("torch_tensorrt._features").ENABLED_FEATURES
    for name in ("_serialized_engine_layout", "_TRTEngine", "_TorchTensorRTModule", "meta_ops.register_meta_ops"):
        importlib.import_module(f"{RUNTIME}.{name}")


def problem_of(function, *arguments):
    try:
        function(*arguments)
    except Exception as problem:
        return f"{type(problem).__name__}: {problem}"
    return ""


def items_of(archive):
    """What Torch-TensorRT makes an engine of."""

    class Reader(pickle.Unpickler):
        def find_class(self, module, name):
            assert (module, name) == (RUNTIME + "._TRTEngine", "_reconstruct_trt_engine")
            return list

    with zipfile.ZipFile(archive) as opened:
        [name] = [name for name in opened.namelist() if name.endswith("opaque_obj_0")]
        return Reader(opened.open(name)).load()


def read_by_python(engine_class, items):
    """What the constructor of the Python runtime read, and what it failed at."""
    engine_class.__del__ = lambda self: None
    engine = engine_class.__new__(engine_class)
    problem = problem_of(engine.__init__, items)
    names = (
        "version name serialized_device_info in_binding_names out_binding_names hardware_compatible serialized_target_platform "
        "requires_output_allocator resource_allocation_strategy requires_native_multidevice aliased_io target_device_id"
    )
    read = {name: getattr(engine, name) for name in names.split()}
    read["engine"] = len(engine.serialized_engine)
    read["outputs"] = [[str(size) for size in each["shape_exprs"]] for each in engine.symbolic_shape_expressions["outputs"]]
    return read, problem


def shapes_of(program):
    return [[str(size) for size in node.meta["val"].shape] for node in program.graph.output_node().args[0]]


def main():
    tensorrt, placeholder, archive = sys.argv[1:]
    prepare(tensorrt)
    program = torch.export.load(placeholder)
    decomposed = program.run_decompositions()
    engine = sys.modules[RUNTIME + "._TRTEngine"]
    items = items_of(archive)
    read, python_problem = read_by_python(engine.TRTEngine, [*items[:3], base64.b64decode(items[3]), *items[4:]])
    damaged = [*items[:2], "no device", *items[3:]]
    print(
        json.dumps(
            {
                "schemas": {
                    name: str(getattr(torch.ops.tensorrt, name).default._schema)
                    for name in ("execute_engine", "no_op_placeholder_for_execute_engine")
                },
                "shapes": [shapes_of(program), shapes_of(decomposed)],
                "cpp": problem_of(engine._reconstruct_trt_engine, items),
                "cpp_damaged": problem_of(engine._reconstruct_trt_engine, damaged),
                "python": python_problem,
                "read": read,
            }
        )
    )


main()
