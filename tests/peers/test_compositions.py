"""What PyTorch composes itself and the training dialect keeps whole: sub-graphs under a setting, losses, differences.

Each program is exported as it is and compiled for kernels and for OpenVINO, against eager PyTorch.
"""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch._higher_order_ops.hints_wrap import hints_wrapper

import slipway_cli
from test_operators import Case, Function, check

R = torch.randn
INF, NAN = float("inf"), float("nan")
CASES = []


def case(name, module, *inputs, dynamic=None, tolerance=1e-5, strict=False):
    inputs = [each if isinstance(each, tuple) else (each,) for each in inputs]
    made = Case(name, module if isinstance(module, nn.Module) else Function(module), inputs, dynamic, tolerance)
    made.module.eval()
    made.strict = strict
    CASES.append(made)


torch.manual_seed(0)
ROWS = {0: torch.export.Dim("rows", min=3, max=9)}


# ---- Sub-graphs that stand under a setting.
class NoGrad(nn.Module):
    """A size, a buffer that changes and a result that both sides use go through the region."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.register_buffer("seen", torch.zeros(4))

    def forward(self, x):
        with torch.no_grad():
            y = x.cos() * x.shape[0]
            self.seen.copy_(y.sum(0))
            with torch.enable_grad():
                z = y + 1
        return self.linear(x) * z + self.seen, y


class CondInside(nn.Module):
    def forward(self, x):
        with torch.no_grad():
            y = torch.cond(x.sum() > 0, lambda a: a.sin(), lambda a: a.cos(), (x,))
        return y + 1


class Rotary(nn.Module):
    """As the rotary embeddings of transformers 4.43 to 4.57 are."""

    def __init__(self):
        super().__init__()
        self.register_buffer("frequencies", 1.0 / 10000 ** (torch.arange(0, 8, 2).float() / 8))

    @torch.no_grad()
    def forward(self, x, positions):
        with torch.autocast(device_type=x.device.type, enabled=False):
            angles = (self.frequencies[None, :, None] @ positions[:, None, :].float()).transpose(1, 2)
            both = torch.cat((angles, angles), dim=-1)
        return x * both.cos(), x * both.sin()


class Autocast(nn.Module):
    def __init__(self, dtype):
        super().__init__()
        self.dtype = dtype
        self.linear, self.exact, self.conv, self.norm = nn.Linear(4, 6), nn.Linear(4, 6), nn.Conv1d(2, 3, 2), nn.LayerNorm(6)

    def forward(self, x, picture):
        with torch.autocast("cpu", dtype=self.dtype):
            y = self.linear(x)
            joined = torch.cat([y, x.new_ones(1, 6)])
            normed = self.norm(y)
            scaled = torch.softmax(y, -1) * x.sum()
            with torch.autocast("cpu", enabled=False):
                exact = self.exact(x)
            with torch.no_grad():
                product = y @ exact.t()
            convolved = self.conv(picture)
            error = F.mse_loss(y, exact)
        return y, joined, normed, scaled, exact, product, convolved, error, x @ x.t()


class Hints(nn.Module):
    def forward(self, x):
        def body(a, b):
            return a.sin() * b

        return hints_wrapper(body, (x, x + 1), {}, hints={"why": True})


case("no_grad", NoGrad(), R(3, 4), R(5, 4), dynamic=(ROWS,))
case("no_grad_with_cond", CondInside(), R(3, 4).abs(), -R(3, 4).abs())
case("rotary", Rotary(), (R(2, 3, 8), torch.arange(6).view(2, 3)))
for half in (torch.bfloat16, torch.float16):
    case(f"autocast_{half}".replace("torch.", ""), Autocast(half), (R(3, 4), R(1, 2, 5)))
case("hints", Hints(), R(3, 4), strict=True)

# ---- Differences and sums along a line.
case("diff", lambda x, y: (x.diff(), x.diff(dim=0), x.diff(n=2), x.diff(n=9), x.diff(n=0), x.diff(n=0, append=y), x.diff(prepend=y, append=x), (x > 0).diff(), (x * 9).long().diff()), (R(3, 5), R(3, 2)))
case("diff_dynamic", lambda x: (x.diff(), x.diff(dim=0, prepend=x[:1]), (x > 0).diff(dim=0)), R(3, 5), R(7, 5), dynamic=(ROWS,))
case("trapezoid", lambda y, x: (torch.trapezoid(y), torch.trapezoid(y, dx=0.5, dim=0), torch.trapezoid(y, x[0]), torch.trapezoid(y, x), torch.trapz(y, dx=2.0), torch.cumulative_trapezoid(y, dim=0), torch.cumulative_trapezoid(y, x)), (R(3, 5), R(3, 5)))
case("cartesian_prod", lambda x, y: (torch.cartesian_prod(x, y, x), torch.cartesian_prod(x)), (R(2), R(3)))
case("pad_sequence", lambda x, y: (nn.utils.rnn.pad_sequence([x, y]), nn.utils.rnn.pad_sequence([x, y], True, -1.5), nn.utils.rnn.pad_sequence([x, y], padding_side="left")), (R(2, 3), R(4, 3)))
case("atleast", lambda x, y: (*torch.atleast_1d(x, y), *torch.atleast_2d(x, y), *torch.atleast_3d([x, y])), (torch.tensor(1.5), R(4, 3)))
case("sum_to_size", lambda x: (x.sum_to_size(3, 1), x.sum_to_size(1), x.sum_to_size(2, 3, 4), x.int().sum_to_size(2, 3, 4), x.int().sum_to_size(4)), R(2, 3, 4))
case("linalg_diagonal", lambda x: (torch.linalg.diagonal(x), torch.linalg.diagonal(x, offset=1, dim1=0)), R(2, 3, 4))
case("matrix_power", lambda x: (torch.linalg.matrix_power(x, 1), torch.linalg.matrix_power(x, 5), x.matrix_power(2)), R(2, 3, 3) / 2)
case("matrix_power_0", lambda x: (x.matrix_power(0), torch.linalg.matrix_power(x.double(), 0)), R(2, 3, 3), R(7, 3, 3), dynamic=({0: torch.export.Dim("n", max=8)},))
case("isreal", lambda x: torch.isreal(x), R(2, 3))

# ---- Losses.
CLASSES = (R(4, 5), torch.tensor([0, 4, -100, 2]), R(5).abs())
IMAGES = (R(2, 5, 3), torch.tensor([[0, 1, -100], [4, 2, 3]]), R(5).abs())
for reduction in ("none", "mean", "sum"):
    def losses(x, y, reduction=reduction):
        p, q, sign = torch.sigmoid(x), torch.sigmoid(y), (y > 0).float() * 2 - 1
        return (
            F.smooth_l1_loss(x, y, reduction=reduction), F.smooth_l1_loss(x, y, beta=0.3, reduction=reduction), F.smooth_l1_loss(x, y, beta=0, reduction=reduction),
            F.huber_loss(x, y, delta=0.7, reduction=reduction), F.mse_loss(x, y, reduction=reduction), F.l1_loss(x, y, reduction=reduction),
            F.binary_cross_entropy(p, q, reduction=reduction), F.binary_cross_entropy(p, q, weight=q, reduction=reduction),
            F.binary_cross_entropy_with_logits(x, q, reduction=reduction), F.binary_cross_entropy_with_logits(x, q, weight=p, pos_weight=q[0], reduction=reduction),
            F.kl_div(x, q, reduction=reduction), F.kl_div(x, y, reduction=reduction, log_target=True),
            F.hinge_embedding_loss(x, sign, reduction=reduction), F.margin_ranking_loss(x, y, sign, margin=0.2, reduction=reduction),
            F.cosine_embedding_loss(x, y, sign[:, 0], margin=0.1, reduction=reduction), F.soft_margin_loss(x, sign, reduction=reduction),
            F.poisson_nll_loss(x, q * 3, reduction=reduction), F.poisson_nll_loss(p, q * 3, log_input=False, full=True, reduction=reduction),
            F.triplet_margin_loss(x, y, p, reduction=reduction), F.triplet_margin_loss(x, y, p, margin=0.3, p=1, swap=True, reduction=reduction),
        )

    def margins(x, target, labels, weight, reduction=reduction):
        result = [
            F.multi_margin_loss(x, target, reduction=reduction), F.multi_margin_loss(x, target, p=2, margin=0.3, weight=weight, reduction=reduction),
            F.multilabel_margin_loss(x, labels, reduction=reduction),
        ]
        if reduction != "none":  # Then torch.export records one dimension where PyTorch gives none.
            result += [F.multi_margin_loss(x[0], target[0], reduction=reduction), F.multilabel_margin_loss(x[1], labels[1], reduction=reduction)]
        return result

    LABELS = torch.tensor([[3, 0, -1, 1, 2], [0, 1, 2, 3, 4], [-1, 0, 1, 2, 3]])
    case(f"margins_{reduction}", margins, (R(3, 5), torch.tensor([0, 4, 2]), LABELS, R(5).abs()))
    case(f"losses_{reduction}", losses, (R(3, 4), R(3, 4)))
    case(f"losses_dynamic_{reduction}", losses, (R(3, 4), R(3, 4)), (R(7, 4), R(7, 4)), dynamic=(ROWS, ROWS))

    def classes(x, target, weight, reduction=reduction):
        logs = F.log_softmax(x, 1)
        return (
            F.cross_entropy(x, target, reduction=reduction), F.cross_entropy(x, target, weight, reduction=reduction),
            F.cross_entropy(x, target, weight, reduction=reduction, label_smoothing=0.1), F.cross_entropy(x, target, reduction=reduction, label_smoothing=0.2, ignore_index=2),
            F.nll_loss(logs, target, reduction=reduction), F.nll_loss(logs, target, weight, ignore_index=4, reduction=reduction),
            F.cross_entropy(x, logs.exp(), reduction=reduction), F.cross_entropy(x, logs.exp(), weight, reduction=reduction, label_smoothing=0.1),
        )

    case(f"classes_{reduction}", lambda x, t, w, f=classes: f(x, t.clamp(min=0), w), CLASSES)
    case(f"classes_ignored_{reduction}", lambda x, t, w, r=reduction: (F.cross_entropy(x, t, reduction=r), F.cross_entropy(x, t, w, reduction=r, label_smoothing=0.1), F.nll_loss(x, t, w, reduction=r)), CLASSES)
    case(f"classes_of_images_{reduction}", lambda x, t, w, r=reduction: (F.cross_entropy(x, t, reduction=r), F.cross_entropy(x, t, w, reduction=r, label_smoothing=0.1), F.nll_loss(x, t, w, reduction=r)), IMAGES)
    case(f"one_class_{reduction}", lambda x, t, r=reduction: (F.cross_entropy(x, t, reduction=r), F.nll_loss(x, t, reduction=r)), (R(5), torch.tensor(3)))
case("all_ignored", lambda x, t: F.cross_entropy(x, t), (R(2, 5), torch.tensor([-100, -100])))

# ---- Where maxima lie. Of equal elements the first counts.
def pooled(x):
    return (
        F.max_pool3d(x, 2, return_indices=True), F.max_pool3d(x, (2, 3, 2), (1, 2, 2), (0, 1, 1), return_indices=True),
        F.max_pool3d(x, 2, 1, 1, 2, return_indices=True), F.max_pool3d(x, 3, 2, 1, ceil_mode=True, return_indices=True),
        F.adaptive_max_pool3d(x, (2, 3, 4), return_indices=True), F.adaptive_max_pool3d(x, (1, None, 3), return_indices=True),
    )  # fmt: skip


def pooled_adaptively(x):
    return F.adaptive_max_pool2d(x, (3, 4), return_indices=True), F.adaptive_max_pool2d(x, (None, 5), return_indices=True), F.adaptive_max_pool1d(x[0], 4, return_indices=True), F.adaptive_max_pool1d(x[0], 1, return_indices=True)


case("places_of_maxima_3d", pooled, R(1, 2, 5, 6, 7), R(1, 2, 5, 6, 7).round())
case("places_of_maxima_dynamic", lambda x: F.max_pool3d(x, 2, return_indices=True), R(2, 4, 4, 6), R(5, 4, 4, 6).round(), dynamic=({0: torch.export.Dim("channels", max=9)},))
case("places_of_maxima_adaptive", pooled_adaptively, R(2, 3, 5, 7), R(2, 3, 5, 7).round())
case("max_unpool3d", lambda x: F.max_unpool3d(*F.max_pool3d(x, 2, return_indices=True), 2), R(1, 2, 4, 6, 4))

# ---- Special functions: roots, poles and what lies far out, too.
LINE = torch.tensor([-INF, -1e30, -35.5, -3.0, -2.5, -2.457, -1.9999, -1.0, -0.6, -0.5, -0.01, -1e-20, -0.0, 0.0, 1e-20, 0.01, 0.3, 0.5, 1.0, 1.4616321, 1.99, 2.0, 3.7, 12.0, 171.5, 1e5, 1e30, INF, NAN])
case("lgamma", lambda x: (x.lgamma(), torch.special.gammaln(x), (x * 0 + 3).nan_to_num(4.0).long().lgamma()), LINE)
case("lgamma_double", lambda x: x.lgamma(), LINE.double(), tolerance=1e-10)
case("lgamma_half", lambda x: x.lgamma(), LINE[LINE.abs() < 100].half())
case("digamma", lambda x: (x.digamma(), torch.special.psi(x)), LINE[(LINE.abs() < 1e29) | LINE.isinf() | LINE.isnan()])
case("erfinv", lambda x: (x.erfinv(), torch.special.erfinv(x)), torch.tensor([-1.0, -0.9999999, -0.99, -0.7, -0.2, -1e-8, -0.0, 0.0, 1e-20, 0.1, 0.5, 0.95, 0.99999, 1.0, 1.5, -2.0, NAN, INF]))
case("mvlgamma", lambda x: (torch.mvlgamma(x, 3), torch.special.multigammaln(x, 1)), torch.tensor([1.5, 2.0, 7.25, 100.0]))
case("ndtr", lambda x: torch.special.ndtr(x), torch.tensor([-INF, -9.0, -1.0, 0.0, 0.5, 3.0, INF, NAN]))
case("entr", lambda x: torch.special.entr(x), torch.tensor([-INF, -1.0, -0.0, 0.0, 1e-30, 0.5, 1.0, 3.0, INF, NAN]))


# ---- What is exact in PyTorch, though it is not in the parts that engines compute it by.
POWERS = torch.cat([2.0 ** torch.arange(-126, 128), torch.tensor([0.0, -0.0, INF, -INF, NAN, -1.0, 3.0, 5e-324])])
case("log2_of_powers", lambda x: (torch.log2(x), torch.floor(torch.log2(x))), POWERS)
case("log10_of_powers", lambda x: torch.log10(x), 10.0 ** torch.arange(0, 11))
SHIFTED = torch.tensor([5, -5, 0, 127, -128, 100, -1, 1])
for dtype in (torch.int8, torch.int16, torch.int32, torch.int64):
    case("shifts_of_" + str(dtype)[6:], lambda x: (x >> 1, x >> 7, x >> 15, x >> 31, x >> 40), SHIFTED.to(dtype))
case("shifts_by_a_tensor", lambda x, n: x >> n, (SHIFTED.int() * 10_000_000, torch.tensor([0, 1, 7, 30, 31, 32, 33, 100], dtype=torch.int32)))


@pytest.mark.parametrize("case", CASES, ids=[each.name for each in CASES])
def test_composition(case, tmp_path):
    shapes = case.dynamic and ((tuple(case.dynamic),) if isinstance(case.module, Function) else tuple(case.dynamic))
    with torch.no_grad():
        program = torch.export.export(case.module, case.inputs[0], dynamic_shapes=shapes, strict=case.strict)
        torch.export.save(program, tmp_path / "training.pt2")
        torch.export.save(program.run_decompositions(), tmp_path / "core.pt2")
        for engine in ("none", "openvino"):
            file = tmp_path / f"{engine}.pte"
            slipway_cli.call(
                "compile", f"training={tmp_path / 'training.pt2'}", f"core={tmp_path / 'core.pt2'}", "-o", file,
                "--engine", engine, "--verify-passes",
            )
            for method in ("training", "core"):
                check(case, file, method, tmp_path)


@pytest.mark.parametrize("reduction", ("none", "mean", "sum"))
def test_margins_forget_nan(reduction, tmp_path):
    """As PyTorch does; what it decomposes them into does not."""
    scores = torch.tensor([[NAN, 1.0, 2.0, 3.0], [0.0, NAN, 1.0, 2.0], [INF, 0.5, NAN, -INF]])
    targets, labels = torch.tensor([0, 3, 1]), torch.tensor([[0, 3, -1, 0], [2, 0, -1, 0], [1, 3, 0, -1]])
    function = Function(lambda x, t, n: (F.multi_margin_loss(x, t, p=2, reduction=reduction), F.multilabel_margin_loss(x, n, reduction=reduction)))
    file = slipway_cli.compile(torch.export.export(function, (scores, targets, labels)), tmp_path)
    got, _ = slipway_cli.run(file, [scores, targets, labels], tmp_path)
    for a, b in zip(got, function(scores, targets, labels), strict=True):
        torch.testing.assert_close(torch.from_numpy(a), b, equal_nan=True)
