"""Where an engine may differ from PyTorch, each with its reason. What follows from such a value is not compared either."""

import math
import re
from dataclasses import dataclass

import torch

EVERY = ("none", "openvino", "onnx")


@dataclass
class Exemption:
    name: str
    engines: tuple
    operators: str  # a pattern for the whole name: "aten.to.dtype"
    applies: object  # of the operands' tensors, the results' tensors, and all arguments
    reason: str

    def matches(self, target, operands, results, arguments):
        return bool(re.fullmatch(self.operators, target)) and self.applies(operands, results, arguments)


def floats(tensors):
    return [each for each in tensors if each.dtype.is_floating_point]


def has_nan(operands, results, arguments):
    return any(bool(each.isnan().any()) for each in floats(operands))


def not_finite(operands, results, arguments):
    return any(not bool(each.isfinite().all()) for each in floats(operands))


def huge(operands, results, arguments):
    return any(bool((each.abs().double() > 1e18).any()) for each in floats(operands) if each.numel())


def number_is_nan(operands, results, arguments):
    return any(isinstance(each, float) and math.isnan(each) for each in arguments)


def no_integer(operands, results, arguments):
    """A float that the integer type of the result can't hold."""
    limits = [torch.iinfo(each.dtype) for each in results if not each.dtype.is_floating_point and not each.dtype.is_complex and each.dtype != torch.bool]
    if not limits:
        return False
    low, high = float(max(each.min for each in limits)), float(min(each.max for each in limits))
    return any(not bool(((each.double() > low - 1) & (each.double() < high + (high < 2**53))).all()) for each in floats(operands))


def negative_unsigned(operands, results, arguments):
    return results[0].dtype == torch.uint8 and any(each < 0 for each in arguments)


def ties(operands, results, arguments):
    """Equal elements along some dimension (or NaN, whose order is not defined either): looked for in the whole tensor."""
    return any(each.numel() != each.unique().numel() for each in operands[:1])


def written_twice(operands, results, arguments):
    index = [each for each in operands if each.dtype in (torch.int64, torch.int32)]
    return any(each.numel() != each.unique().numel() for each in index[-2:])


def too_far(operands, results, arguments):
    width = {torch.uint8: 8, torch.int8: 8, torch.int16: 16, torch.int32: 32, torch.int64: 64}.get(results[0].dtype, 8)
    counts = [each for each in operands[1:]] or [torch.tensor(each) for each in arguments if isinstance(each, int)]
    return any(each.numel() and not bool(((each >= 0) & (each < width - 1)).all()) for each in counts)


TABLE = [
    Exemption("float to integer", EVERY, r".*", no_integer, "undefined in C++ where the integer type can't hold the value; PyTorch's own results differ by processor"),
    Exemption("negative numbers in unsigned ranges", EVERY, r"aten\.(linspace|arange)\..*", negative_unsigned, "undefined in C++ as floats become unsigned; PyTorch's own results differ by length"),
    Exemption("quantized numbers that are not finite", EVERY, r"(aten\.fake_quantize|quantized_decomposed\.quantize).*", lambda *each: not_finite(*each) or huge(*each), "PyTorch converts them to integers, undefined in C++"),
    Exemption("order of equal elements", EVERY, r"aten\.(sort|argsort|topk|msort|kthvalue|median|mode|quantile|_unique2)\..*", ties, "PyTorch leaves their order open"),
    Exemption("shifts past the width", EVERY, r"aten\.(__.shift__|bitwise_.*_shift).*", too_far, "undefined in C++"),
    Exemption("places written twice", EVERY, r"aten\.(scatter\.(src|value)|index_put|_unsafe_index_put|index_copy)(\..*)?", written_twice, "PyTorch leaves open which value stays"),
    Exemption("angle of NaN", EVERY, r"aten\.angle\..*", has_nan, "PyTorch gives NaN or 0 for it, by the type and by the length of the tensor"),
    Exemption("sign of NaN", EVERY, r"aten\.(signbit|copysign)\..*", has_nan, "IEEE 754 leaves it open"),
    Exemption("NaN in ONNX's extremes", ("onnx",), r"aten\.(max\w*|min\w*|amax|amin|aminmax|argmax|argmin|clamp.*|clip|relu6?|hard\w+|adaptive_max\w*|where|nan_to_num|threshold|sign|sgn)\..*", has_nan,
              "ONNX leaves NaN open, and ONNX Runtime ignores it or not by the length of what it reduces"),
    Exemption("NaN in extremes and activations", ("openvino",),
              r"aten\.(relu6?|clamp.*|clip|hard\w+|max\w*|min\w*|amax|amin|aminmax|f(max|min)|threshold|nan_to_num|argmax|argmin|adaptive_max\w*|celu|elu|selu|leaky_relu|softshrink|_?softmax|"
              r"_?log_softmax|_safe_softmax|exp|logsumexp|softplus|mish|gelu|silu|sign|sgn|where)\..*", has_nan, "docs/openvino.md, NaN, infinities and errors"),
    Exemption("sums past float32", EVERY, r"aten\.(sum|mean|var\w*|std\w*|prod|cumsum|linalg_vector_norm|norm|logsumexp|.*_norm|softmax|_softmax|.*softmax.*|hypot|cosine\w*|cdist|_cdist\w*)\..*", huge,
              "they overflow in another place, or not at all: PyTorch itself sums in another order for other sizes"),
    Exemption("infinities times zero", EVERY, r"aten\.(_?upsample\w*|grid_sampler\w*|_?conv\w*|bilinear)\..*", lambda *each: not_finite(*each) or huge(*each), "what has the weight 0, or is padding, counts as 0 times infinity, or not at all"),
    Exemption("products with numbers that are not finite", ("openvino", "onnx"), r"aten\.(\w*mm|matmul|mv|dot|vdot|outer|ger|linear|addmv|addbmm|baddbmm|einsum|\w*conv\w*|\w*attention\w*|lstm|gru|rnn_\w+|cdist|_cdist\w*|"
              r"upsample\w*|_upsample\w*|grid_sampler\w*|avg_pool\w*|adaptive_avg\w*|_adaptive_avg\w*|cumsum|im2col|col2im)\..*",
              lambda *each: not_finite(*each) or huge(*each), "docs/openvino.md: a matrix product or a convolution may carry NaN to elements whose weights for it are 0"),
]


def exempt(target, operands, results, arguments):
    """The engines whose results may differ, and which rows of the table said so."""
    engines, names = set(), set()
    for row in TABLE:
        if not engines.issuperset(row.engines) and row.matches(target, operands, results, arguments):
            engines.update(row.engines)
            names.add(row.name)
    return engines, names


@dataclass
class Open:
    """A defect that is known and not mended: patterns of the engine, of how it shows, of its message, and of each node that it takes."""

    engine: str
    kind: str
    message: str
    nodes: tuple
    what: str

    def matches(self, finding, names):
        return (bool(re.fullmatch(self.engine, finding.engine)) and bool(re.fullmatch(self.kind, finding.kind)) and bool(re.search(self.message, finding.text(), re.DOTALL))
                and all(any(re.fullmatch(pattern, name) for name in names) for pattern in self.nodes))


# A failure that one of these explains is counted and does not fail a run. A row goes with its defect.
OPEN = [
    Open("none|openvino", "run|compile", "Unhandled dtype", (r"aten\.(_pdist_forward|pdist)\..*",), "types that a kernel refuses only when it runs"),
    Open("none|openvino", "wrong", "float32|uint8", (r"aten\._upsample_bilinear2d_aa\..*",), "resizing to fewer rows with antialiasing"),
    Open("none|openvino", "wrong", "is -?inf, not -?inf", (r"aten\.(special_)?logit\..*",), "the epsilon of logit in half types"),
    Open("openvino|onnx", "wrong", "is False, not True", (r"(aten\.)?signbit\.default",), "signbit of -0.0"),
    Open("none|openvino|onnx", "wrong", "nan, not inf", (r"aten\.(std|var).*",), "a variance past float32 or divided by 0 is NaN, infinite in PyTorch"),
    Open("openvino", "run", "batch_size.get_length|kernel after dilation|pooling_shape", (r"aten\.\w*pool\w*\..*",), "pooling of a batch of 0 (docs/openvino.md)"),
    Open("openvino|onnx", "wrong", "is 0.0, not nan", (r"aten\.(var|std)\w*\..*",), "the mean and variance of nothing"),
    Open("none|openvino", "wrong", "float64", (r"aten\.(instance_norm|.*batch_norm.*|group_norm|native_group_norm)\..*",), "norms of float64 are partly float32"),
    Open("openvino", "wrong", "is nan, not 0.0", ("infinite_number",), "elu by an infinite factor"),
    Open("none|openvino|onnx", "wrong", "inf, not (-?inf|nan)", (r"aten\.(floor_divide|div|divide)\..*",), "floor division by zeros"),
]


# A compile that refuses a program is no failure where the message says one of these.
REFUSED = [
    r"it has (an operator|\d+ operators) that can't be compiled",  # Said at compile, with where and why.
    r"ONNX Runtime: .*NOT_IMPLEMENTED",  # It lacks operators for some types.
]
