"""Where an engine may differ from PyTorch, each with its reason. What follows from such a value is not compared either."""

import math
import re
from dataclasses import dataclass

import torch

EVERY = ("none", "openvino", "xnnpack", "onnx")


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


def no_integer(operands, results, arguments):
    """A float that the integer type of the result can't hold."""
    limits = [torch.iinfo(each.dtype) for each in results if not each.dtype.is_floating_point and not each.dtype.is_complex and each.dtype != torch.bool]
    if not limits:
        return False
    low, high = float(max(each.min for each in limits)), float(min(each.max for each in limits))
    return any(not bool(((each.double() > low - 1) & (each.double() < high + (high < 2**53))).all()) for each in floats(operands))


def negative_unsigned(operands, results, arguments):
    return results[0].dtype == torch.uint8 and any(each < 0 for each in arguments)


def past_half_of_range(operands, results, arguments):
    return any(bool((each.abs() > torch.finfo(each.dtype).max / 2).any()) for each in floats(operands))


def past_a_sixth_of_range(operands, results, arguments):
    return any(bool((each.abs() > torch.finfo(each.dtype).max / 6.1).any()) for each in floats(operands))


def infinite_quotient(operands, results, arguments):
    """A finite number divided by another one, not 0, that overflows the type of the result."""
    numbers = [each for each in arguments if isinstance(each, (int, float))]
    a, b = [*(each.double() for each in operands), *(torch.tensor(float(each)) for each in numbers)][:2]
    quotients = [(a, b)] if len(operands) == 2 else [(a, b), (b, a)]  # a number may be on either side
    limit = torch.finfo(results[0].dtype).max if results[0].is_floating_point() else math.inf
    return any(bool((((x / y).abs() > limit) & x.isfinite() & (y != 0)).any()) for x, y in quotients)


def bool_power(operands, results, arguments):
    return operands[0].dtype == torch.bool and isinstance(arguments[1], bool)


def ties(operands, results, arguments):
    """Equal elements along some dimension (or NaN, whose order is not defined either): looked for in the whole tensor."""
    return any(each.numel() != each.unique().numel() or int(each.isnan().sum()) > 1 for each in operands[:1])


def written_twice(operands, results, arguments):
    index = [each for each in operands if each.dtype in (torch.int64, torch.int32)]
    return any(each.numel() != each.unique().numel() for each in index[-2:])


def too_far(operands, results, arguments):
    width = {torch.uint8: 8, torch.int8: 8, torch.int16: 16, torch.int32: 32, torch.int64: 64}.get(results[0].dtype, 8)
    counts = [each for each in operands[1:]] or [torch.tensor(each) for each in arguments if isinstance(each, int)]
    return any(each.numel() and not bool(((each >= 0) & (each < width - 1)).all()) for each in counts)


def past_32_bits(operands, results, arguments):
    numbers = [torch.tensor(each) for each in arguments if isinstance(each, int)]
    return results[0].dtype == torch.int64 and any(bool(((each.long() > 2**31 - 1) | (each.long() < -(2**31))).any()) for each in operands + numbers)


def product_past_float64(operands, results, arguments):
    return results[0].dtype == torch.int64 and any(float(each.double().abs().clamp(min=1).log2().sum()) > 53 for each in operands)


def power_past_float64(operands, results, arguments):
    if results[0].is_floating_point() or len(operands) != 2:
        return False
    base, exponent = (each.double() for each in torch.broadcast_tensors(*operands))
    return bool((base.abs().clamp(min=1).log2() * exponent.abs() > 53).any())


def negative_zero(operands, results, arguments):
    return any(bool(((each == 0) & each.signbit()).any()) for each in floats(results))


def one_place_wide(operands, results, arguments):
    return results[0].shape[-1] == 1 and results[0].shape[-2] > 1


def number_is_nan(operands, results, arguments):
    return any(isinstance(each, float) and math.isnan(each) for each in arguments)


def nothing(operands, results, arguments):
    return operands[0].numel() == 0


def complex_not_finite(operands, results, arguments):
    numbers = [each for each in arguments if isinstance(each, (int, float, complex))]
    return any(each.dtype.is_complex and not (bool(torch.view_as_real(each).isfinite().all()) and bool(torch.tensor(numbers).isfinite().all())) for each in operands)


def infinite_or_zero_factor(operands, results, arguments):
    return not_finite(operands, results, arguments) and any(each == 0 for each in arguments)


def loss_of_infinities(operands, results, arguments):
    return not_finite(operands, results, arguments) or huge(operands, results, arguments) or any(isinstance(each, float) and not math.isfinite(each) for each in arguments)


def halfway(operands, results, arguments):
    quotient = operands[0].double() / arguments[0] if operands[0].is_floating_point() and isinstance(arguments[0], float) else torch.zeros(0)
    return bool((quotient.frac().abs() == 0.5).any())


def between_pixels(operands, results, arguments):
    """The nearest mode of grid_sampler, for places in the middle between two pixels."""
    picture, grid = operands[:2]
    sizes = torch.tensor(picture.shape[2:][::-1], dtype=torch.float64)
    places = [(grid.double() + 1) * sizes / 2 - 0.5, (grid.double() + 1) / 2 * (sizes - 1)]
    return arguments[0] == 1 and any(bool((((each * 2) % 2 - 1).abs() < 1e-4).any()) for each in places)


def odd_correction(operands, results, arguments):
    count = operands[0].numel() / max(results[0].numel(), 1)
    return any(not 0 <= each < max(count, 1) for each in arguments)


def past_24_bits(operands, results, arguments):
    return any(not each.dtype.is_floating_point and bool((each.double().abs() > 2**24).any()) for each in operands)


def is_nan(operands, results, arguments):
    return has_nan(results, results, arguments)


def counts(operands, results, arguments):
    return any(each == 0 and not isinstance(each, bool) for each in arguments)


def nearly_equal(operands, results, arguments):
    numbers = [torch.tensor(float(each)) for each in arguments]
    a, b = [each.double() for each in [*operands, *numbers]][:2]
    distance = (a - b).abs()
    return bool(floats(operands)) and bool(((distance > 0) & (distance <= 2e-6 * a.abs())).any())


def zeros_of_both_signs(operands, results, arguments):
    signs = torch.cat([torch.zeros(0, dtype=torch.bool), *(each.signbit()[each == 0] for each in floats(operands))])
    positive = bool((~signs).any()) or any(each == 0 and not isinstance(each, bool) for each in arguments)
    return bool(signs.any()) and positive and any(bool((each == 0).any()) for each in floats(results))


def cancelled(operands, results, arguments):
    """Two products of which the difference has no digits left."""
    d = next((d for d in range(results[0].dim() - 1, -1, -1) if results[0].shape[d] == 3), 0)
    a, b = (each.abs().double() for each in torch.broadcast_tensors(*operands[:2]))
    products = a.roll(-1, d) * b.roll(-2, d) + a.roll(-2, d) * b.roll(-1, d)
    return bool(((results[0].abs().double() < 1e-6 * products) & products.isfinite()).any())


def next_to_nothing(operands, results, arguments):
    return any(bool(((each != 0) & (each.abs() < 1e-6)).any()) for each in floats(results))


def beside_zero(operands, results, arguments):
    numbers = [abs(each) for each in arguments if isinstance(each, float)]
    return any(0 < each < 1e-9 for each in numbers) and any(bool((each == 0).any()) for each in floats(operands))


def overflows(operands, results, arguments):
    return not not_finite(operands, operands, arguments) and not_finite(results, results, arguments)


def zeros_of_levels(operands, results, arguments):
    numbers = [arguments[1]] if len(arguments) > 3 else []
    offsets = [*numbers, *(float(each.abs().max()) for each in operands[1:] if not each.dtype.is_floating_point and each.numel())]
    return any(each != 0 for each in offsets) and bool((results[0] == 0).any())


def misconvolved(operands, results, arguments):
    return torch.__version__ < "2.12" and operands[0].dtype == torch.bfloat16 and operands[0].dim() == 5


def below_normal(operands, results, arguments):
    return any(bool(((each != 0) & (each.abs() < torch.finfo(torch.float32).tiny)).any()) for each in floats(results))


def least_infinite(operands, results, arguments):
    return any(bool((each == -math.inf).any()) for each in floats(operands) + floats(results))


def sum_past_float64(operands, results, arguments):
    return any(each.dtype == torch.int64 and each.numel() and float(each.double().abs().max()) > 2**52 for each in operands)


def nearly_nothing(operands, results, arguments):
    x = results[0].double().abs()
    return bool(((x > 0) & (x < 1e-6 * operands[0].double().abs().max())).any()) if x.numel() else False


def other_types(operands, results, arguments):
    return len({each.dtype for each in operands}) > 1


def below_a_tenth(operands, results, arguments):
    return any(bool(((each != 0) & (each.abs() < 0.1)).any()) for each in floats(operands))


def around_minus_ten(operands, results, arguments):
    return any(bool(((each < -5) & (each > -30)).any()) for each in floats(operands))


def near_zero(operands, results, arguments):
    return any(bool(((each != 0) & (each.abs() < 1e-4)).any()) for each in floats(operands))


def misread_picture(operands, results, arguments):
    """uint8 pictures of more than four channels that become one place wide."""
    x = operands[0]
    return x.dtype == torch.uint8 and x.dim() == 4 and x.shape[1] > 4 and results[0].shape[3] == 1


TABLE = [
    Exemption("float to integer", EVERY, r"(?!aten\.(sort|argsort|topk|kthvalue|median)\.|quantized_decomposed\.).*", no_integer, "undefined in C++ where the integer type can't hold the value; PyTorch's own results differ by processor"),
    Exemption("negative numbers in unsigned ranges", EVERY, r"aten\.(linspace|arange)\..*", negative_unsigned, "undefined in C++ as floats become unsigned; PyTorch's own results differ by length"),
    Exemption("fake quantized numbers that are not finite", EVERY, r"aten\.fake_quantize.*", lambda *each: not_finite(*each) or huge(*each) or each[2][:1] == [0], "divided by a scale of 0 or as they are: PyTorch converts them to integers, undefined in C++"),
    Exemption("NaN that is quantized", EVERY, r"quantized_decomposed\.quantize.*", has_nan, "PyTorch converts it to an integer, undefined in C++"),
    Exemption("order of equal elements", EVERY, r"aten\.(sort|argsort|topk|msort|kthvalue|median|mode|quantile|_unique2)\..*", ties, "PyTorch leaves their order open"),
    Exemption("order of the largest, not sorted", EVERY, r"aten\.topk\..*", lambda operands, results, arguments: arguments[-1] is False and len(arguments) > 3, "PyTorch leaves their order open"),
    Exemption("shifts past the width", EVERY, r"aten\.(__.shift__|bitwise_.*_shift).*", too_far, "undefined in C++"),
    Exemption("places written twice", EVERY, r"aten\.(scatter\.(src|value)|index_put|_unsafe_index_put|index_copy)(\..*)?", written_twice, "PyTorch leaves open which value stays"),
    Exemption("gelu past half of the range", EVERY, r"aten\.gelu\..*", past_half_of_range, "x * (1 + erf(x)) overflows, or is NaN: PyTorch's own results differ by the length of the tensor"),
    Exemption("remainders of infinite quotients", EVERY, r"aten\.(fmod|remainder)\.(Tensor|Scalar|Scalar_Tensor)", infinite_quotient, "PyTorch gives NaN where it divides vectors, and the remainder elsewhere"),
    Exemption("clamps by NaN", EVERY, r"aten\.(clamp\w*|clip|hardtanh)\..*", number_is_nan, "PyTorch gives NaN, or takes the bound for none, by its version"),
    Exemption("statistics of nothing", EVERY, r"aten\.native_(layer|group)_norm\..*", nothing, "PyTorch leaves them as they are in memory"),
    Exemption("complex numbers that are not finite", EVERY, r"aten\.(div|divide|true_divide|mul|multiply|reciprocal|add|sub|subtract|rsub)\..*", complex_not_finite,
              "PyTorch multiplies what is added by a complex 1, which makes NaN of infinity; its own results differ by the length of the tensor"),
    Exemption("products without a factor", EVERY, r"aten\.(\w*mm|addmv|addr)\..*", infinite_or_zero_factor, "BLAS does not multiply by 0, PyTorch's own loops do"),
    Exemption("losses of numbers that are not finite", ("openvino", "onnx"), r"aten\.(\w*_loss|pairwise_distance|cosine_similarity|dist|kl_div|binary_cross\w*)\..*", loss_of_infinities,
              "they are maxima and differences of infinities: docs/openvino.md, NaN, infinities and errors"),
    Exemption("quotients halfway between two levels", ("openvino",), r"quantized_decomposed\.quantize.*", halfway, "docs/openvino.md: a step of the scale at each quantization"),
    Exemption("pixels that are equally near", ("openvino", "onnx"), r"aten\.grid_sampler\w*\..*", between_pixels, "they round otherwise"),
    Exemption("largest 64-bit integers in ONNX's pooling", ("onnx",), r"aten\.(adaptive_)?max_pool\w*\..*", sum_past_float64, "it is in float64"),
    Exemption("power of a bool by a bool", EVERY, r"aten\.pow\.Tensor_Scalar", bool_power, "torch.export says that it is an int64, and eager PyTorch gives a bool"),
    Exemption("attention to numbers that are not finite", EVERY, r"aten\.\w*attention\w*\..*", lambda *each: not_finite(*each) or huge(*each),
              "PyTorch's own kernels for it differ: a row of scores with NaN gives 0 or NaN"),
    Exemption("angle of NaN", EVERY, r"aten\.angle\..*", has_nan, "PyTorch gives NaN or 0 for it, by the type and by the length of the tensor"),
    Exemption("sign of NaN", EVERY, r"aten\.(signbit|copysign)\..*", has_nan, "IEEE 754 leaves it open"),
    Exemption("NaN in ONNX's extremes", ("onnx",), r"aten\.(max\w*|min\w*|amax|amin|aminmax|argmax|argmin|clamp.*|clip|relu6?|hard\w+|adaptive_max\w*|where|nan_to_num|threshold|sign|sgn|(linalg_\w*)?norm)\..*", has_nan,
              "ONNX leaves NaN open, and ONNX Runtime ignores it or not by the length of what it reduces"),
    Exemption("NaN in ONNX's reductions by place", ("onnx",), r"aten\.(scatter(_reduce)?|index_reduce)\..*", has_nan, "ONNX leaves NaN open in the maximum and minimum of ScatterElements"),
    Exemption("extremes of 64-bit integers in ONNX Runtime", ("onnx",), r"aten\.(max|min|maximum|minimum|amax|amin|aminmax|clamp\w*|clip)\..*", past_32_bits,
              "ONNX Runtime 1.31 compares 32 of the bits in vectors of int64: Max([2^31], [0]) is 0"),
    Exemption("sums of 64-bit integers in ONNX Runtime", ("onnx",), r"aten\.(sum|cumsum|count_nonzero)\..*", sum_past_float64, "ONNX Runtime adds up int64 in float64"),
    Exemption("products of 64-bit integers in ONNX Runtime", ("onnx",), r"aten\.prod\..*", product_past_float64, "ONNX Runtime takes the product of int64 in float64"),
    Exemption("64-bit integers to the power of tensors", ("onnx",), r"aten\.(float_power|pow)\..*", power_past_float64, "ONNX Runtime takes the power of int64 in float64"),
    Exemption("sign of zero", ("openvino",), r"aten\.(mul|multiply|div|true_divide|divide|neg|negative|rsub|copysign|round)\..*", negative_zero, "docs/openvino.md: with dynamic sizes a zero that is multiplied by a number comes out positive"),
    Exemption("sign of zero in ONNX Runtime", ("onnx",), r"aten\.(ceil|trunc|fix|round|frac)\..*", negative_zero, "ONNX Runtime rounds up to 0.0 where PyTorch gives -0.0"),
    Exemption("NaN in extremes and activations", ("openvino",),
              r"aten\.(relu6?|clamp.*|clip|hard\w+|max\w*|min\w*|amax|amin|aminmax|f(max|min)|threshold|nan_to_num|argmax|argmin|adaptive_max\w*|(linalg_\w*)?norm|celu|elu|selu|leaky_relu|prelu|_prelu_kernel|dist|softshrink|_?(special_)?softmax|"
              r"_?(special_)?log_softmax|_safe_softmax|exp|(special_)?logsumexp|logcumsumexp|logaddexp2?|(special_)?logit|(special_)?xlogy|softplus|mish|gelu|silu|sign|sgn|where|\w*margin\w*_loss|\w*embedding_loss|binary_cross\w*|huber_loss|smooth_l1_loss|kl_div|poisson_nll_loss)\..*", has_nan, "docs/openvino.md, NaN, infinities and errors"),
    Exemption("sums past float32", EVERY, r"aten\.(sum|mean|var\w*|std\w*|prod|cumsum|linalg_vector_norm|norm|logsumexp|.*_norm\w*|softmax|_softmax|.*softmax.*|hypot|_?fft\w*|cosine\w*|\w*matrix_power|cdist|_cdist\w*|\w*mm|(linalg_)?matmul|mv|addmv|addr|v?dot|linalg_vecdot|inner|linear|einsum|addcdiv|addcmul|_?adaptive_avg_pool\w*|avg_pool\w*|cumprod|(linalg_)?cross)\..*", huge,
              "they overflow in another place, or not at all: PyTorch itself sums in another order for other sizes"),
    Exemption("pictures that PyTorch misreads", EVERY, r"aten\._?upsample_bi\w+\..*", misread_picture, "docs/openvino.md: PyTorch resizes them from the wrong memory"),
    Exemption("pictures that become one place wide, with antialiasing", EVERY, r"aten\._upsample_bi\w+_aa\..*", one_place_wide, "PyTorch repeats the first row"),
    Exemption("pixels of next to no weight", EVERY, r"aten\._?upsample_\w*linear\w*\..*", nearly_nothing, "the place of a pixel is rounded before it becomes a weight, which is 6e-8 or nothing by the order of the steps"),
    Exemption("losses with weights of another type", EVERY, r"aten\.binary_cross_entropy\..*", other_types, "torch.export records another type than PyTorch gives; it takes them for nothing alone"),
    Exemption("corrections that are no count", EVERY, r"aten\.(var|std).*", odd_correction, "PyTorch divides by what is left of NaN, or of a negative number beside nothing; or a rounding error by 0"),
    Exemption("sums of integers past float32", EVERY, r"aten\.(cumulative_)?trapezoid\..*", past_24_bits, "they are differences of large floats"),
    Exemption("scaled halves without dimensions", EVERY, r"aten\.ldexp\..*", other_types, "torch.export records float32, and eager PyTorch gives a half"),
    Exemption("logarithms of a sigmoid near 1", ("openvino",), r"aten\.log_sigmoid\w*\..*", next_to_nothing, "docs/openvino.md: they may be 0"),
    Exemption("logarithms of a sigmoid of -inf", EVERY, r"aten\.log_sigmoid\w*\..*", least_infinite, "PyTorch gives -inf, or NaN for half types, by the length of the tensor"),
    Exemption("counts of what is not 0", ("openvino",), r"aten\.(linalg_vector_norm|norm|dist|pairwise_distance)\..*", counts, "what is 0 depends on the order of additions"),
    Exemption("small numbers beside what cancels", ("openvino",), r"aten\.(add|sub)\.(Scalar|Tensor)", beside_zero, "docs/openvino.md: constants that are added one after the other are added up first"),
    Exemption("products that overflow before a sum", ("openvino",), r"aten\.(mul|multiply)\..*", overflows, "docs/openvino.md: the sum is rounded alone"),
    Exemption("losses and activations that are NaN", ("openvino", "onnx"), r"aten\.(\w*_loss|softplus|log_sigmoid\w*)\..*", is_nan, "docs/openvino.md: their maxima give a number for it"),
    Exemption("equality of numbers that are rounded", EVERY, r"aten\.(eq|ne|not_equal)\..*", nearly_equal, "a rounding error more or less makes them equal"),
    Exemption("which of two zeros is less", EVERY, r"aten\.(min|max|minimum|maximum|fmin|fmax|amin|amax|aminmax|clamp\w*|clip)\..*", zeros_of_both_signs, "PyTorch gives either, by the length of the tensor"),
    Exemption("cross products of parallel vectors", EVERY, r"aten\.(linalg_)?cross\..*", cancelled, "they are 0, or a rounding error"),
    Exemption("zeros among quantized numbers", ("openvino",), r"aten\.fake_quantize.*", zeros_of_levels, "docs/openvino.md: a level times the scale plus the least number, which is 0 but for a rounding error"),
    Exemption("convolutions of bfloat16 by PyTorch before 2.12", EVERY, r"aten\.(_?convolution|conv3d|slow_conv3d)\..*", misconvolved, "they are wrong on processors with AMX, where the stride is the size of the kernel"),
    Exemption("quotients of the largest 64-bit integers", ("onnx",), r"aten\.(div|divide|floor_divide)\..*", sum_past_float64, "ONNX has none that is rounded down; the difference to the remainder wraps"),
    Exemption("numbers below the normal range", ("openvino", "xnnpack", "onnx"), r"aten\..*", below_normal, "docs/openvino.md, docs/xnnpack.md: they may become 0"),
    Exemption("hardswish of the largest numbers", ("xnnpack",), r"aten\.hardswish\..*", past_a_sixth_of_range, "docs/xnnpack.md: it is finite above 5.6e37"),
    Exemption("maxima of nothing but -inf", ("openvino",), r"aten\.(adaptive_)?max_pool\w*\..*", least_infinite, "docs/openvino.md, NaN, infinities and errors"),
    Exemption("NaN in max pooling", ("xnnpack",), r"aten\.(adaptive_)?max_pool\w*\..*", has_nan, "docs/xnnpack.md: the maximum of a window goes on after NaN"),
    Exemption("hyperbolic tangent near 0", ("openvino",), r"aten\.tanh\..*", near_zero, "docs/openvino.md: it is off by up to 1e-6 there"),
    Exemption("error function near 0", ("openvino",), r"aten\.(special_)?erf\..*", below_a_tenth, "docs/openvino.md: it is off by up to 5e-7 there"),
    Exemption("mish far below 0", ("openvino",), r"aten\.mish\..*", around_minus_ten, "docs/openvino.md: its mish is off by up to 1.2e-5 there"),
    Exemption("small gates of large numbers", ("onnx",), r"aten\.(glu|silu)\..*", huge, "ONNX Runtime's sigmoid has no more than about eight decimal places"),
    Exemption("infinities times zero", EVERY, r"aten\.(_?upsample\w*|grid_sampler\w*|_?conv\w*|bilinear|_trilinear|prelu|_prelu_kernel)\..*", lambda *each: not_finite(*each) or huge(*each), "what has the weight 0, or is padding, counts as 0 times infinity, or not at all"),
    Exemption("products with numbers that are not finite", ("openvino", "xnnpack", "onnx"), r"aten\.(\w*mm|(linalg_)?matmul|linalg_vecdot|inner|mv|dot|vdot|outer|ger|linear|addmv|addbmm|baddbmm|einsum|\w*conv\w*|\w*attention\w*|lstm|gru|rnn_\w+|cdist|_cdist\w*|"
              r"upsample\w*|_upsample\w*|grid_sampler\w*|avg_pool\w*|adaptive_avg\w*|_adaptive_avg\w*|cumsum|im2col|col2im)\..*",
              lambda *each: not_finite(*each) or huge(*each), "docs/openvino.md, docs/xnnpack.md: a matrix product or a convolution may carry NaN to elements whose weights for it are 0"),
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
OPEN = []


# A compile that refuses a program is no failure where the message says one of these.
REFUSED = [
    r"it has (an operator|\d+ operators) that can't be compiled",  # Said at compile, with where and why.
    r"ONNX Runtime: .*NOT_IMPLEMENTED",  # It lacks operators for some types.
    r"ONNX Runtime: .*Integer modulo by zero",  # A constant shift past the width, undefined in C++, where it computes constants.
    r"(?s)(std|var)_mean.*it computes float\d+\[.*\], and the archive says complex",  # torch.export records a wrong type.
]
