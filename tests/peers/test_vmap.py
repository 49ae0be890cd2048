"""torch.vmap, exported as it is, with the operators of one element, and decomposed, against eager PyTorch."""

import pytest
import torch
import torch.nn.functional as F

import slipway_cli
from function_module import Function
from test_operators import Case, check

R = torch.randn
INF, NAN = float("inf"), float("nan")
ODD = torch.tensor([[0.0, -0.0, 1.0], [NAN, INF, -INF], [-2.5, 3.0, NAN], [1e30, -1e-30, 0.5]])
vmap = torch.vmap
CASES = []
ON_ENGINES = ("products", "masks", "writes_and_chunks")


def case(name, function, *inputs, dynamic=None, loops=False):
    inputs = [each if isinstance(each, tuple) else (each,) for each in inputs]
    CASES.append((Case(name, Function(function), inputs, dynamic, 1e-5), loops))


def N(size="n"):
    return {0: torch.export.Dim(size, min=0, max=9)}


torch.manual_seed(0)
case("distances", lambda x, y: vmap(lambda a: vmap(lambda b: (a - b).square().sum().sqrt())(y))(x), *((R(n, 4), R(m, 4)) for n, m in ((3, 5), (0, 2), (1, 0))), dynamic=(N(), N("m")))
case("of_special_values", lambda x: (vmap(torch.sum)(x), vmap(torch.sum, 1, 0)(x), vmap(lambda a: (a / a[0], a * 0, a.isnan().any(), a > a[1], a.nan_to_num().argmax(), a.nan_to_num().sort().values))(x)), ODD)
case("of_integers", lambda x, y: vmap(lambda a, b: (a + b, a * 1.5, a // 3, (a == b).sum(), a.sum(), a.prod(), a.cumsum(0), b.float().mean() + a))(x, y), (torch.arange(-6, 6).reshape(4, 3), torch.arange(12, dtype=torch.int32).reshape(4, 3)))
case("numbers_that_meet_tensors", lambda x, y, z: vmap(lambda a, b, c: (a + b, b * c, torch.where(a > 0, c, b), c.add(a), a.masked_fill(a > 0, c)), (0, 0, 0))(x, y, z), (R(3, 2), R(3).double(), torch.arange(3)))
case("products", lambda x, y, m: (vmap(torch.mv)(m, x), vmap(torch.dot)(x, y), vmap(torch.outer)(x, y), vmap(torch.mm, (0, None))(m, m[0].t()), vmap(torch.matmul, (None, 0))(m, x), vmap(lambda a, b: torch.einsum("i,ji->j", a, b))(x, m),
                                 vmap(lambda a, b: torch.addmm(a, b, b.t(), beta=0.5, alpha=2))(x[:, :1, None], m)), *((R(n, 4), R(n, 4), R(n, 5, 4)) for n in (3, 7)), dynamic=({0: torch.export.Dim("n", min=2, max=9)},) * 3)
case("views", lambda x: (vmap(lambda a: a.reshape(2, -1).t().unsqueeze(0).expand(2, -1, -1), 1)(x), vmap(lambda a: a.narrow(-1, 1, 2).mT, 1)(x[None]), *vmap(lambda a: (a.view(-1).unfold(0, 2, 1), *a.split(2), a.movedim(0, -1), a.squeeze(), a.flip(0), a.repeat(2, 1), a.roll(1, 0)))(x[..., None])),
     R(4, 6))
case("indices", lambda x, i, t: (*vmap(lambda a, j: (a[j], t[j], t.index_select(1, j), a.gather(0, j), a.index_select(0, j), F.embedding(j, t), F.one_hot(j, 4), a.scatter(0, j, 2.0), a.index_add(0, t[0].long() * 0, a), t.index_put((j,), a[:3, None], accumulate=True)))(x, i),
                                 vmap(lambda a: (a[t[0].long() * 0], a.clone().masked_fill(a > 0, 1.0), torch.cat([a, t[0]]), torch.stack([a, a * 2], 1)))(x), vmap(lambda j: t.view(2, 2, 4)[j[:2, None] % 2, :, j[:3] % 2].sum(-1) + t.new_zeros(2, 1, 1), 1)(i)), (R(5, 4), torch.tensor([[0, 1, 2], [3, 3, 0], [1, 0, 3], [2, 2, 2], [0, 3, 1]]), R(4, 4)))


def layers(x, k, w):
    query = x.flatten(-2)
    return vmap(lambda a, b: (F.conv2d(a, k), F.conv2d(a[None], k, padding=1), F.max_pool2d(a, 2), F.group_norm(a[None], 2), F.layer_norm(a, (6,), b, b), F.linear(a, b[None], b[:1]), F.interpolate(a[None], scale_factor=2)))(x, w), vmap(
        lambda q, m: F.scaled_dot_product_attention(q, q, q, m))(query, query[:, :, :4]), vmap(lambda q: F.scaled_dot_product_attention(q, q, q + 1))(x[:, None])  # fmt: skip


case("layers", layers, (R(3, 4, 6, 6), R(2, 4, 3, 3), R(3, 6)))
case("ensemble", lambda x, w, b, v: vmap(lambda *p: F.mse_loss(F.linear(F.linear(x, *p[:2]).relu(), p[2]), x[:, :2]))(w, b, v), (R(7, 4), R(3, 5, 4), R(3, 5), R(3, 2, 5)))


def masks(padding, positions):
    """As transformers makes its masks: a function of one batch, head, query and key, mapped over each."""
    def visible(b, h, q, k):
        return (k <= q) & (k > q - 3) & padding[b, k] | (h == 0) & (q == k)

    mapped = visible
    for dims in ((None, None, None, 0), (None, None, 0, None), (None, 0, None, None), (0, None, None, None)):
        mapped = vmap(mapped, in_dims=dims, out_dims=0)
    return mapped(torch.arange(padding.shape[0]), torch.arange(2), positions, torch.arange(padding.shape[1]))


case("masks", masks, *((R(n, 6) > -1, torch.arange(m) + 1) for n, m in ((2, 4), (3, 5))), dynamic=({0: torch.export.Dim("batch", min=2, max=8)}, {0: torch.export.Dim("queries", min=2, max=8)}))


def writes(x):
    def written(a):
        b = a.clone()
        b[0] = a.sum()
        b.mul_(2)[1:] += 1
        return b, torch.ones(2), x[0]

    return vmap(written)(x)[0].add_(1), *vmap(written)(x)[1:], vmap(lambda a: a.sum(), chunk_size=2)(x)


case("writes_and_chunks", writes, R(5, 4))
case("loops", lambda x, k: (vmap(lambda a, b: F.conv1d(a, b))(x, k), vmap(lambda a: F.cross_entropy(a, a.argmax(1)))(x), vmap(lambda a: vmap(lambda b: torch.trapezoid(b))(a))(x)), (R(3, 2, 6), R(3, 4, 2, 3)), loops=True)


@pytest.mark.parametrize("case, loops", CASES, ids=[each.name for each, _ in CASES])
def test_vmap(case, loops, tmp_path):
    shapes = case.dynamic and (tuple(case.dynamic),)
    with torch.no_grad():
        program = torch.export.export(case.module, case.inputs[0], dynamic_shapes=shapes, strict=False)
        torch.export.save(program, tmp_path / "training.pt2")
        torch.export.save(program.run_decompositions(), tmp_path / "core.pt2")
        for engine in ("none", "openvino") if case.name in ON_ENGINES else ("none",):
            file = tmp_path / f"{engine}.pte"
            said = slipway_cli.call("compile", f"training={tmp_path / 'training.pt2'}", f"core={tmp_path / 'core.pt2'}", "-o", file, "--engine", engine, "--verify-passes", "--print-after", "remove vmaps")
            assert ("map_impl" in said) == loops
            for method in ("training", "core"):
                check(case, file, method, tmp_path)


def test_writing_to_what_is_mapped_over_is_refused(tmp_path):
    program = torch.export.export(Function(lambda x: vmap(lambda a: a.mul_(2))(x + 1)), (R(3, 4),), strict=False)
    with pytest.raises(slipway_cli.ToolError, match="node mul_ (.|\\n)*write to a clone"):
        slipway_cli.compile(program, tmp_path)
