"""Complex numbers on kernels: each operator against PyTorch, or refused at compile."""

import pytest
import slipway_cli
import torch
import torch.nn.functional as f

C = torch.complex64


def c(*sizes, dtype=C):
    return torch.randn(*sizes, dtype=dtype)


def r(*sizes, dtype=torch.float32):
    return torch.randn(*sizes, dtype=dtype)


class Model(torch.nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *values):
        return self.function(*values)


def check(function, inputs, tmp_path, core=False, example=None, dynamic_shapes=None):
    """Holds the compiled function to PyTorch's results, from either dialect."""
    program = torch.export.export(Model(function), tuple(example or inputs), dynamic_shapes=dynamic_shapes and (dynamic_shapes,))
    if core:
        program = program.run_decompositions()
    outputs, _ = slipway_cli.run(slipway_cli.compile(program, tmp_path), inputs, tmp_path)
    expected = torch.utils._pytree.tree_leaves(function(*inputs))
    for ours, theirs in zip(outputs, expected, strict=True):
        torch.testing.assert_close(torch.as_tensor(ours), theirs.resolve_conj(), atol=1e-5, rtol=1e-5, equal_nan=True)


CASES = {
    "mul": (lambda x, y: x * y, c(3, 4), c(3, 4)),
    "mul_broadcast": (lambda x, y: x * y[0], c(3, 4), c(3, 4)),
    "mul_double": (lambda x, y: x * y, c(3, dtype=torch.complex128), c(3, dtype=torch.complex128)),
    "mul_types": (lambda x, y: x * y, c(3), c(3, dtype=torch.complex128)),
    "mul_real": (lambda x, y: x * y, c(3, 4), r(4)),
    "real_mul": (lambda x, y: y * x, c(3, 4), r(3, 1)),
    "mul_bool": (lambda x, y: x * (y > 0), c(3, 4), r(3, 4)),
    "mul_int": (lambda x, y: x * y.to(torch.int64), c(3, 4), r(3, 4) * 5),
    "mul_number": (lambda x: x * 2.5, c(3, 4)),
    "div": (lambda x, y: x / y, c(3, 4), c(3, 4)),
    "div_zero": (lambda x, y: x / (y * 0), c(3, 4), c(3, 4)),
    "div_real": (lambda x, y: x / y, c(3, 4), r(4)),
    "div_number": (lambda x: x / 3, c(3, 4)),
    "real_div": (lambda x, y: y / x, c(3, 4), r(4)),
    "number_div": (lambda x: 2 / x, c(3, 4)),
    "reciprocal": (lambda x: x.reciprocal(), c(3, 4)),
    "add": (lambda x, y: x + y, c(3, 4), c(3, 4)),
    "add_alpha": (lambda x, y: torch.add(x, y, alpha=2), c(3, 4), c(3, 4)),
    "add_broadcast": (lambda x, y: x + y[0], c(3, 4), c(3, 4)),
    "add_real": (lambda x, y: x + y, c(3, 4), r(4)),
    "add_number": (lambda x: x + 1.5, c(3, 4)),
    "sub": (lambda x, y: x - y, c(3, 4), c(3, 4)),
    "sub_real": (lambda x, y: y - x, c(3, 4), r(4)),
    "rsub": (lambda x: 1 - x, c(3, 4)),
    "neg": (lambda x: -x, c(3, 4)),
    "conj": (lambda x: x.conj() * x, c(3, 4)),
    "conj_output": (lambda x: torch.conj_physical(x), c(3, 4)),
    "where": (lambda x, y: torch.where(y > 0, x, 2 * x), c(3, 4), r(3, 4)),
    "masked_fill": (lambda x, y: x.masked_fill(y > 0, 0.5), c(3, 4), r(3, 4)),
    "sum": (lambda x: x.sum(), c(3, 4)),
    "sum_dim": (lambda x: x.sum(1, keepdim=True), c(3, 4)),
    "mean": (lambda x: x.mean(0), c(3, 4)),
    "mean_all": (lambda x: x.mean(), c(3, 4)),
    "mm": (lambda x, y: x @ y, c(3, 4), c(4, 2)),
    "bmm": (lambda x, y: x @ y, c(2, 3, 4), c(2, 4, 5)),
    "matmul": (lambda x, y: x @ y, c(2, 3, 4), c(4, 5)),
    "einsum": (lambda x, y: torch.einsum("bif,fio->bof", x, y), c(2, 3, 5), c(5, 3, 4)),
    "matrix_vector": (lambda x, y: (x @ y, y @ x.mT, y @ y, torch.vdot(y, y)), c(3, 4), c(4)),
    "matmul_real": (lambda x, y: (x @ y.to(C), x.mH @ x), c(3, 4), r(4, 2)),
    "matmul_double": (lambda x: x @ x.mT, c(3, 4, dtype=torch.complex128)),
    "linear": (lambda x, y, z: (f.linear(x, y), f.linear(x[0], y, z), f.linear(x[0, 0], y, z), f.linear(x, y[0])), c(2, 3, 4), c(5, 4), c(5)),
    "addmm": (lambda x, y, z: (torch.addmm(z, x, y), torch.addmm(z[0], x, y.mT.contiguous().mT, beta=2, alpha=0.5)), c(3, 4), c(4, 2), c(3, 2)),
    "baddbmm": (lambda x, y: torch.baddbmm(y, x, y, beta=0.5), c(2, 4, 4), c(2, 4, 3)),
    "addmv": (lambda x, y: torch.addmv(y[:3], x, y), c(3, 4), c(4)),
    "vecdot": (lambda x, y: (torch.linalg.vecdot(x, y), torch.linalg.vecdot(x, y[0], dim=0)), c(3, 4), c(3, 4)),
    "inner": (lambda x, y: (torch.inner(x, y), torch.tensordot(x, y, ([1], [1])), torch.einsum("ik,jk->ij", x, y)), c(3, 4), c(2, 4)),
    "diagonal": (lambda x: (x.diagonal(1), x.trace(), x.tril(), x.triu(1)), c(3, 4)),
    "embedding": (lambda x, i: f.embedding(i.to(torch.int64) * 0 + 1, x), c(3, 4), r(2)),
    "complex": (lambda x, y: torch.complex(x, y), r(3, 4), r(3, 4)),
    "polar": (lambda x, y: torch.polar(x, y), r(3, 4).abs(), r(3, 4)),
    "rope": (lambda x, y: torch.view_as_real(torch.view_as_complex(x) * y).flatten(1), r(2, 3, 4, 2), c(3, 4)),
    "to_complex": (lambda x: x.to(C), r(3, 4)),
    "to_complex128": (lambda x: x.to(torch.complex128), c(3, 4)),
    "view_as_real": (lambda x: torch.view_as_real(x), c(3, 4)),
    "real_imag": (lambda x: x.real + x.imag, c(3, 4)),
    "abs_angle": (lambda x: x.abs() + x.angle(), c(3, 4)),
    "square": (lambda x: x.square(), c(3, 4)),
    "pow2": (lambda x: x**2, c(3, 4)),
    "eq": (lambda x, y: x == y, c(3), c(3)),
    "zeros": (lambda x: torch.zeros(3, 4, dtype=C) + x, c(3, 4)),
    "full": (lambda x: torch.full((3, 4), 2.0, dtype=C) * x, c(3, 4)),
    "ones_like": (lambda x: torch.ones_like(x) - x, c(3, 4)),
    "cat": (lambda x, y: torch.cat([x, y], 1), c(3, 4), c(3, 2)),
    "cat_types": (lambda x, y: torch.cat([x, y], 1), c(3, 4), r(3, 2)),
    "stack": (lambda x, y: torch.stack([x, y]), c(3, 4), c(3, 4)),
    "slice": (lambda x: x[:, 1::2], c(3, 4)),
    "select": (lambda x: x[1], c(3, 4)),
    "permute": (lambda x: x.permute(2, 0, 1).contiguous(), c(3, 4, 2)),
    "reshape": (lambda x: x.reshape(2, 6) + 0, c(3, 4)),
    "expand": (lambda x: x[:, None].expand(3, 2, 4).contiguous(), c(3, 4)),
    "split": (lambda x: torch.split(x, 2, 1), c(3, 4)),
    "unbind": (lambda x: torch.unbind(x), c(3, 4)),
    "flip": (lambda x: x.flip(1), c(3, 4)),
    "roll": (lambda x: x.roll(1, 1), c(3, 4)),
    "repeat": (lambda x: x.repeat(2, 3), c(3, 4)),
    "pad": (lambda x: torch.nn.functional.pad(x, (1, 2)), c(3, 4)),
    "index": (lambda x, i: x[i.to(torch.int64) * 0 + 1], c(3, 4), r(2)),
    "index_select": (lambda x, i: x.index_select(1, i.to(torch.int64) * 0 + 1), c(3, 4), r(2)),
    "gather": (lambda x, i: x.gather(1, i.to(torch.int64) * 0 + 1), c(3, 4), r(3, 2)),
    "clone": (lambda x: x.clone(), c(3, 4)),
    "exp": (lambda x: x.exp(), c(3, 4)),
    "sqrt": (lambda x: x.sqrt(), c(3, 4)),
    "cumsum": (lambda x: x.cumsum(1), c(3, 4)),
    "prod": (lambda x: x.prod(1), c(3, 4)),
    "isnan": (lambda x: x.isnan(), c(3, 4)),
    "unfold": (lambda x: x.unfold(1, 2, 1).contiguous(), c(3, 4)),
    "index_fill": (lambda x: x.index_fill(1, torch.tensor([0]), 0), c(3, 4)),
    "index_put": (lambda x, i: x.index_put((i.to(torch.int64) * 0,), x[1]), c(3, 4), r(1)),
    "set_column": (lambda x, y: torch.slice_scatter(x, y[:, :2], 1, 0, 2), c(3, 4), c(3, 4)),
    "rfft_div": (lambda x, g: torch.fft.irfft(torch.fft.rfft(x) / g), r(2, 8), r(5).abs() + 1),
    "correlate": (lambda x, y: torch.fft.irfft(torch.fft.rfft(x) * torch.fft.rfft(y).conj()), r(2, 8), r(2, 8)),
    "phase": (lambda x: torch.fft.irfft(torch.fft.rfft(x) / torch.fft.rfft(x).abs()), r(2, 8)),
}
F = torch.fft
HANN = torch.hann_window(16)


def spectrum(n, hop, window, **options):
    return torch.stft(r(2, 64).to(window.dtype), n, hop, window=window, return_complex=True, **options)


# Transforms, in both dialects: those of real signals by ExecuTorch's kernel, the rest from them.
TRANSFORMS = {
    "fft": (lambda x: F.fft(x), r(3, 6, 8)),
    "fft_one": (lambda x: F.fft(x, dim=0), r(1, 4)),
    "fft_odd": (lambda x: F.fft(x, n=7, dim=1, norm="forward"), r(3, 6, 8)),
    "fft_double": (lambda x: F.fft(x, n=5, norm="ortho"), r(3, 8).double()),
    "fft_complex": (lambda x: F.fft(x), c(3, 6, 7)),
    "ifft": (lambda x: F.ifft(x).resolve_conj(), r(3, 6, 8)),
    "ifft_complex": (lambda x: F.ifft(x, n=11, dim=1, norm="ortho"), c(3, 6, 8)),
    "fft2": (lambda x: F.fft2(x), r(2, 5, 6)),
    "ifft2": (lambda x: F.ifft2(x, s=(4, 9)), c(2, 5, 6)),
    "fftn": (lambda x: F.fftshift(F.fftn(x)), c(2, 5, 6)),
    "ifftn": (lambda x: F.ifftn(x, dim=(0, 2), norm="forward"), c(2, 5, 6)),
    "rfft2": (lambda x: F.rfft2(x), r(2, 5, 6)),
    "fftn_of_nothing": (lambda x, y: (F.fftn(x, dim=()), F.ifftn(y, dim=())), r(2, 5), c(2, 5)),
    "rfftn": (lambda x: F.rfftn(x, s=(5, 8), norm="ortho"), r(2, 5, 6)),
    "irfft2": (lambda x: F.irfft2(x, s=(7, 12), norm="forward"), c(2, 6, 7)),
    "irfftn": (lambda x: F.irfftn(x), c(3, 4, 5)),
    "irfft_longer": (lambda x: F.irfft(x, n=13), c(3, 5)),
    "hfft": (lambda x: F.hfft(x, norm="ortho"), c(3, 5)),
    "ihfft": (lambda x: F.ihfft(x).resolve_conj(), r(3, 8)),
    "filter": (lambda x, w: F.ifft2(F.fft2(x) * w).real, r(2, 5, 6), c(5, 6)),
    "global_filter": (lambda x, w: F.irfft2(F.rfft2(x, dim=(1, 2), norm="ortho") * w, s=(6, 6), dim=(1, 2), norm="ortho"), r(2, 6, 6, 3), c(6, 4, 3)),
    "frequencies": (lambda x: (x * F.fftfreq(8, 0.5), x[:, :5] * F.rfftfreq(8), x[:, :7] * F.fftfreq(7)), r(3, 8)),
    "shifts": (lambda x: (F.fftshift(x), F.ifftshift(x, dim=1), F.ifftshift(x)), r(4, 7)),
    "istft": (lambda s: (torch.istft(s, 16, 4, window=HANN), torch.istft(s, 16, 4, window=HANN, length=50), torch.istft(s[0], 16, 4, window=HANN, length=90)), spectrum(16, 4, window=HANN)),
    "istft_short_window": (lambda s: torch.istft(s, 16, 3, 12, normalized=True), spectrum(16, 3, win_length=12, normalized=True, window=torch.ones(12))),
    "istft_two_sided": (lambda s: torch.istft(s, 16, onesided=False, window=HANN.double()), spectrum(16, 4, window=HANN.double(), onesided=False)),
    "stft_and_back": (lambda x: torch.istft(torch.stft(x, 16, 4, window=HANN, return_complex=True) * 2, 16, 4, window=HANN, length=64), r(2, 64)),
    "stft_two_sided": (lambda x: torch.stft(x, 16, 4, onesided=False, return_complex=True, window=torch.hann_window(16)), r(2, 48)),
}


@pytest.mark.parametrize("core", [False, True], ids=["training", "core"])
@pytest.mark.parametrize("name", TRANSFORMS)
def test_transform(name, core, tmp_path):
    function, *inputs = TRANSFORMS[name]
    check(function, inputs, tmp_path, core=core)


def test_windows_that_begin_elsewhere_are_an_error(tmp_path):
    program = torch.export.export(Model(lambda x: torch.stft(x, 16, 4, 8, HANN[:8], center=False, return_complex=True, align_to_window=True)), (r(2, 64),))
    with pytest.raises(slipway_cli.ToolError, match="align_to_window"):
        slipway_cli.compile(program, tmp_path)


def test_windows_that_leave_gaps_are_an_error(tmp_path):
    """Of the signal nothing is left where they begin: a constant window is known while it is compiled."""
    pieces = spectrum(16, 4, window=HANN)
    program = torch.export.export(Model(lambda s, w: torch.istft(s, 16, 16, window=w, center=False)), (pieces, HANN))
    file = slipway_cli.compile(program, tmp_path)
    slipway_cli.run(file, [pieces, torch.ones(16)], tmp_path)
    with pytest.raises(slipway_cli.ToolError, match="istft"):
        slipway_cli.run(file, [pieces, HANN], tmp_path)
    program = torch.export.export(Model(lambda s: torch.istft(s, 16, 16, window=HANN, center=False)), (pieces,))
    with pytest.raises(slipway_cli.ToolError, match="istft"):
        slipway_cli.compile(program, tmp_path)


def test_transforms_of_any_length(tmp_path):
    """Also of one element, whose spectrum is itself."""
    lengths = {1: torch.export.Dim("n", min=1, max=64)}
    for size in (1, 2, 9):
        x = r(2, size)
        check(lambda x: (F.fft(x).abs(), F.rfft(x)), [x], tmp_path, dynamic_shapes=(lengths,), example=[r(2, 8)])


# No kernel or rule computes these for complex numbers.
REFUSED = {"sqrt", "prod"}


@pytest.mark.parametrize("name", CASES)
def test_operator(name, tmp_path):
    function, *inputs = CASES[name]
    if name in REFUSED:
        with pytest.raises(slipway_cli.ToolError, match="complex"):
            slipway_cli.compile(torch.export.export(Model(function), tuple(inputs)), tmp_path)
        return
    check(function, inputs, tmp_path)
