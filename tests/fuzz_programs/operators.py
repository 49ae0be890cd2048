"""How a call of each operator is drawn: from its schema by the names and types of its arguments, or by a function of its own."""

import pathlib
import re

import torch

class Rejected(Exception):
    """The draw can't be completed; another is made."""


class Builder:
    """The operands of one node as its text grows."""

    def __init__(self):
        self.operands = []

    def ref(self, name):
        if name not in self.operands:
            self.operands.append(name)
        return "{" + str(self.operands.index(name)) + "}"


PAGES = pathlib.Path(__file__).parents[2] / "docs"

# Operators that are not drawn by themselves, and why.
LEFT_OUT = {
    "random or uninitialized results": "empty empty_like empty_permuted empty_strided new_empty new_empty_strided rrelu rrelu_with_noise_functional "
    "rand rand_like randn randn_like randint randint_like randperm bernoulli normal normal_functional log_normal uniform exponential multinomial",
    "sizes that depend on data (conformance has them)": "argwhere nonzero nonzero_numpy masked_select repeat_interleave.Tensor repeat_interleave.self_Tensor "
    "item _local_scalar_dense bincount _unique2 unique_consecutive unique_dim",
    "made by torch.export alone": "lift lift_fresh lift_fresh_copy sym_numel sym_size alias detach _conj_physical resolve_neg where.default",
    "assertions": "_assert_async _assert_scalar _assert_tensor_metadata sym_constrain_range sym_constrain_range_for_size "
    "_is_all_true _is_any_true",
    "complex numbers (make_complex has them)": "imag view_as_real view_as_real_copy",
    "CUDA's": "_scaled_dot_product_efficient_attention _scaled_dot_product_flash_attention",
    "written for training": "native_dropout _batch_norm_impl_index native_batch_norm _native_batch_norm_legit_functional _batch_norm_no_update "
    "_native_batch_norm_legit feature_dropout alpha_dropout feature_alpha_dropout dropout",
    "operands that fit each other (tests/peers has them)": "index_reduce max_unpool2d max_unpool3d _grouped_mm view.dtype view_copy.dtype "
    "linalg_inv inverse linalg_inv_ex linalg_solve linalg_solve_ex _linalg_solve_ex linalg_solve_triangular triangular_solve linalg_lu_factor "
    "linalg_lu_factor_ex linalg_lu linalg_lu_solve linalg_det det _linalg_det linalg_slogdet slogdet _linalg_slogdet logdet linalg_cholesky "
    "linalg_cholesky_ex cholesky_solve cholesky_inverse linalg_qr linalg_tensorsolve linalg_tensorinv linalg_cond multi_margin_loss multilabel_margin_loss "
    "put nonzero_static lu_solve nextafter renorm block_diag special_xlog1py.other_scalar special_xlog1py.self_scalar",
    "among equal elements PyTorch chooses one (tests/peers has them)": "nanmedian mode",
    "only numbers that PyTorch's own quantizer gives are defined": "choose_qparams choose_qparams_per_token_asymmetric quantize_per_token dequantize_per_token "
    "dequantize_per_channel_group "
    "embedding_2bit embedding_4bit embedding_byte mixed_linear mixed_mm add.quantized",
    "operands that fit each other, or powers (conformance has them)": "gradient combinations narrow.Tensor tensor_split.tensor_indices_or_sections "
    "norm_except_dim vander linalg_vander",
    "strides of the result are its argument's": "as_strided as_strided_copy _reshape_alias copy",
    "each result depends on every number, the largest first (tests/peers has them)": "fft_fft fft_ifft fft_fft2 fft_ifft2 fft_fftn fft_ifftn fft_rfft2 fft_rfftn "
    "fft_irfft2 fft_irfftn fft_hfft fft_ihfft fft_hfft2 fft_hfftn fft_ihfft2 fft_ihfftn _fft_c2c",
    "a list of lists, or a device": "to.device _embedding_bag _embedding_bag_forward_only _trilinear _pad_enum stft fft_irfft _fft_c2r _fft_r2c "
    "chain_matmul linalg_multi_dot dsplit hsplit vsplit numpy_T scalar_tensor hamming_window hann_window bartlett_window blackman_window arange full ones zeros eye linspace logspace",
}
OMITTED = {name for names in LEFT_OUT.values() for name in names.split()}
FLOATS = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
ALL = (torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool)
SPECIALS = {}
PATTERNS = []
ADDED = []


def documented(page):
    """The operators that a page lists."""
    return set(re.findall(r"`aten\.([a-zA-Z0-9_.]+)`", (PAGES / page).read_text().split("## Left out")[0]))


LOWERED = documented("operators_onnx.md")


def names():
    """The operators of the documentation's pages that are drawn, by "name.overload", and the patterns."""
    result = []
    for name in sorted(documented("operators.md") | LOWERED):
        packet = name.split(".")[0]
        if name in OMITTED or packet in OMITTED or not hasattr(torch.ops.aten, packet):
            continue
        if name.split(".")[1] not in getattr(torch.ops.aten, packet).overloads():
            continue
        result.append(name)
    return result + PATTERNS + [name for name in SPECIALS if name.startswith("make_")]


def special(*operators):
    def register(function):
        for name in operators:
            SPECIALS[name] = function
        return function
    return register


def pattern(function):
    """Something that engines are known to rewrite, drawn more often than chance would."""
    name = "pattern_" + function.__name__
    SPECIALS[name] = lambda g, _: function(g)
    PATTERNS.append(name)
    return function


def added(function):
    """A pattern behind all that a program draws otherwise, by numbers of its own: a new one leaves every other draw as it was."""
    name = "pattern_" + function.__name__
    SPECIALS[name] = lambda g, _: function(g)
    ADDED.append(name)
    return function


def generate(g, name):
    if name in SPECIALS:
        return SPECIALS[name](g, name)
    packet, overload = name.split(".")
    if packet in SPECIALS:
        return SPECIALS[packet](g, name)
    return from_schema(g, name, getattr(getattr(torch.ops.aten, packet), overload)._schema)


# ---- By schema

FLOAT_ONLY = re.compile(r"^(acos|asin|atan|cos|sin|tan|exp|log|sqrt|erf|sigmoid|gelu|silu|elu|selu|celu|mish|hard|soft|leaky|_?softmax|_?log_softmax|logit|"
                        r"mean|var|std|norm|linalg|lerp|addc|rsqrt|recip|logsumexp|dist|cdist|_cdist|pdist|cosine|pairwise|hypot|atan2|logadd|xlog|sinc|"
                        r"frac|glu|prelu|quantile|nan|celu|tanh|special|cosh|arc)")
SMALL_INTS = {"diagonal": (-2, 2), "offset": (-2, 2), "decimals": (-1, 3), "groups": (1, 2), "upscale_factor": (2, 2), "downscale_factor": (1, 2), "k": (0, 3),
              "correction": (0, 2), "chunks": (1, 3), "sections": (1, 3), "step": (1, 3), "length": (0, 3), "start": (-3, 3), "end": (-2, 6), "index": (-2, 2),
              "n": (0, 2), "split_size": (1, 3), "size": (1, 3), "repeats": (0, 3), "p": (1, 2), "num_classes": (9, 10), "indices_or_sections": (1, 2), "reduction": (0, 2)}


def from_schema(g, name, schema):
    b = Builder()
    floats = bool(FLOAT_ONLY.match(name)) and g.chance(0.85)
    first, pieces, keywords = None, [], []
    bits = name.startswith(("bitwise", "__")) or "shift" in name
    integers = tuple(each for each in ALL if not each.is_floating_point)
    for argument in schema.arguments:
        kind = str(argument.real_type if hasattr(argument, "real_type") else argument.type)
        optional = argument.has_default_value()
        if optional and (g.chance(0.4) or argument.name in ("layout", "device", "pin_memory", "memory_format", "generator", "non_blocking", "dtype", "out_int32")):
            if argument.name != "dtype" or g.chance(0.8):
                if not argument.kwarg_only and any(not other.has_default_value() for other in schema.arguments[schema.arguments.index(argument):]):
                    raise Rejected
                # What follows goes by name.
                keywords.append(None)
                continue
        if kind == "Tensor" and first is None:
            dtypes = FLOATS if floats else integers if bits else None
            first = g.tensor(rank_for(name), dtypes)
            text = b.ref(first)
        elif kind.startswith("Tensor") or kind == "Optional[Tensor]":
            text = b.ref(operand(g, name, argument.name, first))
        elif kind == "List[Tensor]":
            first = first or g.tensor()
            many = [first] + [sibling(g, first) for _ in range(g.integer(0, 2))]
            text = "[" + ", ".join(b.ref(each) for each in many) + "]"
        else:
            text = plain(g, name, argument, kind, first, b)
        if argument.kwarg_only or keywords:
            keywords.append(f"{argument.name}={text}")
        else:
            pieces.append(text)
    packet, overload = name.split(".")
    return g.add_node(f"aten.{packet}.{overload}({', '.join(pieces + [each for each in keywords if each])})", b.operands, name)


def rank_for(name):
    packet = name.split(".")[0]
    for pattern_, rank in ((r"^(mm|addmm|trace|t|t_copy|fliplr)$", 2), (r"^(bmm|baddbmm)$", 3), (r"^(dot|vdot|ger|outer)$", 1), (r"^(mv|addmv)$", 2),
                           (r"^(pixel_|channel_shuffle|native_channel)", 4), (r"^_softmax|^_log_softmax|softmax", (1, 2, 3)), (r"^(pdist|_pdist)", 2),
                           (r"^(reflection|replication)_pad1d", (2, 3)), (r"^(reflection|replication)_pad2d", (3, 4)), (r"^_pad_circular", (3, 4)), (r"^(reflection|replication)_pad3d", 4),
                           (r"^(cross|linalg_cross)$", (1, 2)), (r"^(linalg_matrix_norm|mT|mH|adjoint|cdist|_cdist_forward|rot90)$", (2, 3)), (r"^glu$", (1, 2, 3))):
        if re.match(pattern_, packet):
            return rank
    return None


def operand(g, name, argument, first):
    """A further tensor of an operator."""
    if first is None:
        return g.tensor()
    role_there = g.role
    packet = name.split(".")[0]
    if argument in ("mask", "condition"):
        return g.like(first, (torch.bool,))
    if packet in ("mm", "matmul", "mv", "addmm", "bmm", "inner", "kron", "outer", "ger", "dot", "vdot", "cdist", "_cdist_forward", "tensordot", "baddbmm", "addbmm",
                  "addmv", "linalg_matmul", "addr"):
        sizes = g.sizes_of(first)
        dtype = g.values[first][0].dtype
        if packet in ("dot", "vdot", "outer", "ger"):
            return made(g, dtype, [sizes[-1]] if sizes else [])
        inner = sizes[-1] if sizes else 3
        width = g.choice([1, 1, 3, 4])
        if packet == "mv":
            return made(g, dtype, [inner])
        if packet in ("bmm",):
            return made(g, dtype, [sizes[0], inner, width])
        if packet in ("cdist", "_cdist_forward", "inner"):
            return made(g, dtype, [*sizes[:-2], width, inner])
        if packet in ("matmul", "mm", "linalg_matmul"):
            lead = sizes[:-2] if packet != "mm" and g.chance(0.3) else []
            return made(g, dtype, [*lead, inner, width])
    g.role = role_there
    return g.like(first, None if g.chance(0.15) else (g.values[first][0].dtype,))


def made(g, dtype, sizes):
    """A new value of these sizes: what sizes decide or a constant where they are static, or an input."""
    if any(size is None for size in sizes):
        raise Rejected
    if g.role == "size" and all(isinstance(size, int) for size in sizes) and g.chance(0.8):
        return g.add_size_value(dtype, len(sizes), sizes)
    if all(isinstance(size, int) for size in sizes) and g.chance(0.5):
        return g.add_constant(g.fill(dtype, sizes, g.special_constants))
    return g.add_input(dtype, sizes)


def sibling(g, name):
    """What can be joined with `name`."""
    return g.like(name, (g.values[name][0].dtype,), same=True)


def rank(g, name):
    return g.values[name][0].dim()


def a_dim(g, name):
    n = rank(g, name)
    return g.integer(-n, n - 1) if n else g.choice([0, -1])


def size_text(g, b, allow_minus=True):
    """A size: a number, or one that a value has."""
    if g.chance(0.6):
        return str(g.pick({0: 1, 1: 3, 2: 4, 3: 4, 4: 2}))
    source = g.choice([name for name in g.values if name[0] in "xv" and rank(g, name) > 0])
    text = f"{b.ref(source)}.shape[{a_dim(g, source)}]"
    return text + g.choice(["", "", " + 1", " * 2", " - 1"] if allow_minus else [""])


def plain(g, name, argument, kind, first, b):
    """An argument that is no tensor, as text."""
    label = argument.name
    dtype = g.values[first][0].dtype if first else torch.float32
    if kind.startswith("Optional[") or kind.endswith("?"):
        if g.chance(0.25):
            return "None"
        kind = kind.removeprefix("Optional[").removesuffix("]") if kind.startswith("Optional[") else kind[:-1]
    if label in ("dtype", "out_dtype") and kind == "int":
        return str(g.choice(ALL))
    if kind == "bool":
        if label in ("accumulate", "keepdim", "descending", "largest", "sorted", "right", "unbiased", "count_include_pad", "ceil_mode", "equal_nan", "stable",
                     "include_last_offset", "periodic", "align_corners", "rounding", "as_tuple", "invert", "assume_unique", "normalize", "upper", "half_to_float"):
            return str(g.chance(0.5)) if label != "half_to_float" else "False"
        return "False"
    if kind in ("int", "SymInt"):
        if label.startswith(("dim", "axis", "start_dim", "end_dim", "source", "destination")) or label in ("dim0", "dim1"):
            return str(a_dim(g, first)) if first else "0"
        if label in ("start", "end", "length", "index", "k") and first and rank(g, first) and g.chance(0.25):
            return f"{b.ref(first)}.shape[{a_dim(g, first)}] - {g.integer(0, 2)}"
        low, high = SMALL_INTS.get(label, (0, 3))
        return str(g.integer(low, high))
    if kind in ("List[int]", "List[SymInt]"):
        n = rank(g, first) if first else 2
        if label in ("dim", "dims", "axes", "source", "destination"):
            chosen = g.random.sample(range(n), g.integer(0 if n == 0 else 1, n)) if n else []
            if name.split(".")[0].startswith("permute"):
                chosen = g.random.sample(range(n), n)
            return str([each - n if g.chance(0.3) else each for each in chosen])
        if label in ("size", "shape"):
            return shape_text(g, b, name, first)
        if label == "repeats":
            return str([g.integer(0 if g.chance(0.2) else 1, 2) for _ in range(n + (1 if g.chance(0.2) else 0))])
        if label == "shifts":
            return str([g.integer(-3, 3)])
        if label in ("pad", "padding"):
            pairs = int(match[1]) if (match := re.search(r"pad(\d)d", name)) else g.integer(1, max(1, min(n, 2)))
            low = -1 if "constant" in name else 0
            return str([g.integer(low, 2) for _ in range(2 * pairs)])
        return str([g.integer(1, 3) for _ in range(g.integer(1, 2))])
    if kind in ("number", "Scalar", "float", "complex"):
        if label in ("eps",):
            return g.choice(["1e-5", "1e-8", "1e-12"])
        if label in ("rtol", "atol"):
            return g.choice(["1e-3", "0.1"])
        if label == "p" or label == "ord":
            return g.choice(["1.0", "2.0", "2", "3.0", "0.0", "inf", "0.5"])
        if label in ("negative_slope", "lambd", "beta", "alpha", "threshold", "weight", "value") and g.chance(0.7):
            return g.choice(["0.5", "1", "2.0", "0.1"]) if dtype.is_floating_point else g.choice(["1", "2", "3"])
        if bits_like(name):
            return str(g.integer(0, 5))
        return g.scalar(dtype)
    if kind == "str":
        if label == "rounding_mode":
            return g.choice(["'floor'", "'trunc'"])
        if label == "approximate":
            return g.choice(["'none'", "'tanh'"])
        if label == "norm":
            return g.choice(["'backward'", "'ortho'", "'forward'"])
        if label == "indexing":
            return g.choice(["'ij'", "'xy'"])
        if label == "mode":
            return g.choice(["'constant'", "'reflect'", "'replicate'", "'circular'"])
        return "''"
    raise Rejected


def bits_like(name):
    return "shift" in name


def shape_text(g, b, name, first):
    """Sizes for a view, an expansion, or a new tensor."""
    packet = name.split(".")[0]
    if first is None or packet in ("new_full", "new_ones", "new_zeros"):
        return "[" + ", ".join(size_text(g, b) for _ in range(g.integer(0, 3))) + "]"
    sizes = [f"{b.ref(first)}.shape[{d}]" if not isinstance(size, int) else str(size) for d, size in enumerate(g.sizes_of(first))]
    if packet.startswith(("expand", "broadcast_to")):
        grown = [size_text(g, b, False) if size == "1" and g.chance(0.7) else "-1" if g.chance(0.2) else size for size in sizes]
        return "[" + ", ".join([size_text(g, b, False) for _ in range(g.integer(0, 1))] + grown).replace("[, ", "[") + "]"
    draw = g.random.random()
    if draw < 0.25:
        return "[-1]"
    if draw < 0.45 and sizes:
        return "[" + ", ".join([sizes[0], "-1"]) + "]"
    if draw < 0.65 and sizes:
        return "[" + ", ".join(["-1", sizes[-1]]) + "]"
    place = g.integer(0, len(sizes))
    if draw < 0.85:
        return "[" + ", ".join(sizes[:place] + ["1"] + sizes[place:]) + "]"
    if len(sizes) >= 2:
        place = g.integer(0, len(sizes) - 2)
        return "[" + ", ".join(sizes[:place] + [f"{sizes[place]} * {sizes[place + 1]}"] + sizes[place + 2:]) + "]"
    return "[" + ", ".join(sizes) + "]"


def aten(g, name, b, *arguments):
    return g.add_node(f"aten.{name}({', '.join(arguments)})", b.operands, name)
