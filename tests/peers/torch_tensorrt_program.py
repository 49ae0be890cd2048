"""What PyTorch needs to load and run programs of Torch-TensorRT without it: its operators, the class of its engines and the
function that makes them of a pickle, with what TensorRT was given run by ONNX Runtime in place of TensorRT."""

import base64
import pickle
import sys
import types

import onnxruntime
import sympy
import torch
from torch._custom_class_base import CustomClassBase
from torch._library.opaque_object import register_custom_class
from torch.utils._sympy.interp import sympy_interp
from torch.utils._sympy.reference import PythonReferenceAnalysis

MODULE = "torch_tensorrt.dynamo.runtime._TRTEngine"
SLOTS = (
    "abi_version name device engine inputs outputs hardware_compatible metadata platform output_allocator "
    "allocation_strategy multidevice aliased_io"
).split()
PLACEHOLDER = (
    "no_op_placeholder_for_execute_engine(Tensor[] inputs, str abi_version, str name, str serialized_device_info, "
    "Tensor serialized_engine, str serialized_in_binding_names, str serialized_out_binding_names, "
    "str serialized_hardware_compatible, str serialized_metadata, str serialized_target_platform, "
    "str serialized_require_output_allocator, str serialized_resource_allocation_strategy, "
    "str serialized_requires_native_multidevice, str serialized_aliased_io) -> Tensor[]"
)

# What TensorRT was given, by the engine's name: a path of an ONNX model.
models = {}


class Record:
    """An engine's items."""

    def __init__(self, items):
        assert len(items) == len(SLOTS), len(items)
        for name, item in zip(SLOTS, items):
            setattr(self, name, item)
        self.inputs = self.inputs.split("%") if self.inputs else []
        self.outputs = self.outputs.split("%") if self.outputs else []
        self.aliases = [alias.split("@") for alias in self.aliased_io.split("%")] if self.aliased_io else []

    def shapes(self, inputs):
        """The sizes and types of the results for these inputs, by the metadata."""
        known = pickle.loads(base64.b64decode(self.metadata))["inout_symexprs"]
        assert [each["name"] for each in known["inputs"]] == self.inputs
        sizes = {}
        for tensor, each in zip(inputs, known["inputs"], strict=True):
            assert tensor.dtype == each["dtype"]
            sizes |= dict(zip(each["shape_exprs"], tensor.shape, strict=True))
        symbols = {expression: size for expression, size in sizes.items() if isinstance(expression, sympy.Symbol)}
        for each in known["outputs"]:
            shape = []
            for size in each["shape_exprs"]:
                # A whole expression is known from an input, as Torch-TensorRT has it, or follows from symbols.
                if not isinstance(size, int):
                    size = sizes[size] if size in sizes else sympy_interp(PythonReferenceAnalysis, symbols, size)
                shape.append(size)
            yield shape, each["dtype"]

    def run(self, inputs):
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(str(models[self.name]), options, providers=["CPUExecutionProvider"])
        feeds = dict(zip(self.inputs, (tensor.detach().contiguous().numpy() for tensor in inputs), strict=True))
        results = [torch.from_numpy(result) for result in session.run(self.outputs, feeds)]
        for result, (shape, dtype) in zip(results, self.shapes(inputs), strict=True):
            assert list(result.shape) == shape and result.dtype == dtype
        # As TensorRT does, in their memory.
        for output, given, _ in self.aliases:
            inputs[self.inputs.index(given)].copy_(results[self.outputs.index(output)])
        return results


class Engine(CustomClassBase):
    """Stands for Torch-TensorRT's Python runtime."""

    def __init__(self, items):
        self.items = items
        self.record = Record(items)

    def __reduce__(self):
        items = list(self.items)
        items[3] = base64.b64encode(items[3]).decode()
        return _reconstruct_trt_engine, (items,)


Engine.__module__ = MODULE


def _reconstruct_trt_engine(items):
    items = list(items)
    items[3] = base64.b64decode(items[3])
    return Engine(items)


_reconstruct_trt_engine.__module__ = MODULE


def _execute_engine(input_tensors: list[torch.Tensor], engine: Engine) -> list[torch.Tensor]:
    return engine.record.run(input_tensors)


def _infer(record, inputs):
    return [inputs[0].new_empty(shape, dtype=dtype) for shape, dtype in record.shapes(inputs)]


def register():
    """Once in a process."""
    for name in ("torch_tensorrt", "torch_tensorrt.dynamo", "torch_tensorrt.dynamo.runtime", MODULE):
        sys.modules[name] = types.ModuleType(name)
    sys.modules[MODULE].Engine = Engine
    sys.modules[MODULE]._reconstruct_trt_engine = _reconstruct_trt_engine
    register_custom_class(Engine, typ="symbolic")
    operator = torch.library.custom_op("tensorrt::execute_engine", _execute_engine, mutates_args=())
    operator.register_fake(lambda input_tensors, engine: _infer(getattr(engine, "real_obj", engine).record, input_tensors))
    library = torch.library.Library("tensorrt", "FRAGMENT")
    library.define(PLACEHOLDER)

    library.impl(
        "no_op_placeholder_for_execute_engine",
        lambda inputs, abi, name, device, plan, *rest: Record([abi, name, device, bytes(plan.numpy()), *rest]).run(inputs),
        "CPU",
    )
    library.impl(
        "no_op_placeholder_for_execute_engine",
        lambda inputs, abi, name, device, plan, *rest: _infer(Record([abi, name, device, b"", *rest]), inputs),
        "Meta",
    )
    return library
