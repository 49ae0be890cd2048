"""Inverses, solutions, determinants and factorizations, against PyTorch's in float64.

Programs compute them in float64, whatever their types are, so that what is compared is as exact as its last rounding. PyTorch's own
float32 results differ from these by as much as the condition of the matrix has it.
"""

import pytest
import torch

import slipway_cli
from function_module import Function

L = torch.linalg
torch.manual_seed(0)
SQUARE = torch.randn(2, 3, 5, 5)
POSITIVE = SQUARE @ SQUARE.mT + torch.eye(5)
RIGHT = torch.randn(2, 3, 5, 2)
TALL, WIDE = torch.randn(2, 6, 4), torch.randn(3, 7)
LARGE = torch.randn(40, 40)
ZERO_PIVOT = torch.tensor([[0.0, 2.0, 1.0], [1.0, 0.0, 3.0], [0.0, 1.0, 0.0]])
TENSOR = (torch.randn(12, 12) + 4 * torch.eye(12)).reshape(2, 6, 3, 4)
SINGULAR = torch.tensor([[[2.0, 1.0], [4.0, 2.0]], [[0.0, 1.0], [1.0, 0.0]]])


def triangles(a, b):
    return (
        L.solve_triangular(a, b, upper=True),
        L.solve_triangular(a, b, upper=False),
        L.solve_triangular(a, b.mT, upper=True, left=False),
        L.solve_triangular(a, b.mT, upper=False, left=False, unitriangular=True),
        torch.triangular_solve(b, a)[0],
        torch.triangular_solve(b, a, upper=False, transpose=True)[0],
    )


CASES = {
    "inv": (lambda a: (L.inv(a), torch.inverse(a)), SQUARE),
    "inv_large": (L.inv, LARGE),
    "matrix_power": (lambda a: (L.matrix_power(a, -1), L.matrix_power(a, -3)), SQUARE + 5 * torch.eye(5)),
    "inv_one": (L.inv, torch.tensor([[-4.0]])),
    "inv_none": (lambda a: (L.inv(a), L.det(a)), torch.zeros(2, 0, 0)),
    "inv_ex": (lambda a: (*L.inv_ex(a),), ZERO_PIVOT),
    "info": (lambda a: (L.inv_ex(a).info, L.solve_ex(a, a).info, L.lu_factor_ex(a).info), SINGULAR),
    "solve": (lambda a, b: (L.solve(a, b), L.solve(a, b[..., 0]), L.solve(a, b.mT, left=False)), SQUARE, RIGHT),
    "solve_vector": (L.solve, ZERO_PIVOT, torch.tensor([1.0, 2.0, 3.0])),
    "solve_broadcast": (lambda a, b: (L.solve(a[0, 0], b), L.solve(a, b[0])), SQUARE, RIGHT),
    "solve_ex": (lambda a, b: (*L.solve_ex(a, b),), SQUARE, RIGHT),
    "det": (lambda a: (L.det(a), torch.det(-a), *L.slogdet(a), torch.logdet(a), torch.logdet(-a)), SQUARE),
    "det_singular": (lambda a: (L.det(a), *L.slogdet(a), torch.logdet(a)), SINGULAR),
    "det_large": (lambda a: (*L.slogdet(a),), LARGE),
    "cholesky": (lambda a: (L.cholesky(a), L.cholesky(a, upper=True)), POSITIVE),
    "cholesky_triangle": (lambda a: (L.cholesky(a.tril()), L.cholesky(a.triu(), upper=True)), POSITIVE),
    "cholesky_ex": (lambda a: (*L.cholesky_ex(a),), POSITIVE),
    "cholesky_info": (lambda a: L.cholesky_ex(a).info, torch.stack([torch.eye(2), torch.tensor([[1.0, 2.0], [2.0, 1.0]]), -torch.eye(2), torch.full((2, 2), torch.nan)])),
    "cholesky_solve": (lambda a, b: (torch.cholesky_solve(b, a), torch.cholesky_solve(b, a, upper=True), torch.cholesky_inverse(a), torch.cholesky_inverse(a, upper=True)), POSITIVE, RIGHT),
    "triangles": (triangles, SQUARE.tril() + 3 * torch.eye(5) + SQUARE.triu(1), RIGHT),
    "lu": (lambda a: (*L.lu(a), *L.lu_factor(a), *L.lu_factor_ex(a)), SQUARE),
    "lu_tall": (lambda a: (*L.lu(a), *L.lu_factor(a)), TALL),
    "lu_wide": (lambda a: (*L.lu(a), *L.lu_factor(a)), WIDE),
    "lu_solve": (lambda a, b: (L.lu_solve(*L.lu_factor(a), b), torch.lu_solve(b, *L.lu_factor(a))), SQUARE, RIGHT),
    "qr": (lambda a: (*L.qr(a), *L.qr(a, "complete"), L.qr(a, "r")[1]), SQUARE),
    "qr_tall": (lambda a: (*L.qr(a), *L.qr(a, "complete")), TALL),
    "qr_wide": (lambda a: (*L.qr(a), *L.qr(a, "complete")), WIDE),
    "qr_tiny": (lambda a: (*L.qr(a), *L.qr(a * 1e300 * 1e40)), torch.tensor([[3e-170, 1e-170], [4e-170, -2e-170]], dtype=torch.float64)),
    "triangle_for_a_batch": (lambda a, b: L.solve_triangular(a, b, upper=True), (torch.eye(3) * 2).expand(3, 3, 3).contiguous(), torch.ones(3, 3).tril()),
    "tensorsolve": (lambda a, b: (L.tensorsolve(a, b), L.tensorsolve(a.permute(2, 0, 1, 3), b, dims=(0, 3))), TENSOR, torch.randn(2, 6)),
    "tensorinv": (lambda a: (L.tensorinv(a), L.tensorinv(a.reshape(12, 2, 6), ind=1)), TENSOR),
    "cond": (lambda a: tuple(L.cond(a, p) for p in (1, -1, torch.inf, -torch.inf, "fro")), SQUARE),
    "cond_singular": (lambda a: (L.cond(a, 1), L.cond(a, "fro")), SINGULAR),
    "qr_zeros": (lambda a: (*L.qr(a),), torch.diag(torch.tensor([1.0, -2.0, 0.0]))),
}


def check(file, function, inputs, folder, *options):
    got, _ = slipway_cli.run(file, list(inputs), folder, *options)
    expected = torch.utils._pytree.tree_leaves(function(*[x.double() for x in inputs]))
    assert len(got) == len(expected)
    for i, (a, b) in enumerate(zip(got, expected)):
        a = torch.from_numpy(a)
        assert a.dtype == (b.dtype if not b.is_floating_point() else inputs[0].dtype)
        scale = max(1.0, float(b.abs().max())) if b.numel() and b.isfinite().all() else 1.0
        torch.testing.assert_close(a.double(), b.double(), rtol=1e-5, atol=1e-6 * scale, equal_nan=True, msg=lambda m: f"output {i}: {m}")


@pytest.mark.parametrize("name", CASES)
def test_is_as_exact_as_float64(name, tmp_path):
    function, *inputs = CASES[name]
    program = torch.export.export(Function(function), tuple(inputs))
    torch.export.save(program, tmp_path / "training.pt2")
    torch.export.save(program.run_decompositions(), tmp_path / "core.pt2")
    file = tmp_path / "model.pte"
    slipway_cli.call("compile", f"training={tmp_path / 'training.pt2'}", f"core={tmp_path / 'core.pt2'}", "-o", file, "--engine", "none", "--verify-passes")
    for method in ("training", "core"):
        check(file, function, inputs, tmp_path, "--method", method)


def test_float64_and_batches_of_any_size(tmp_path):
    def function(a, b):
        return L.solve(a, b), L.cholesky(a @ a.mT + torch.eye(3, dtype=a.dtype)), *L.qr(a), L.det(a)

    batch = {0: torch.export.Dim("batch", max=8)}
    inputs = torch.randn(4, 3, 3).double(), torch.randn(4, 3, 2).double()
    file = slipway_cli.compile(torch.export.export(Function(function), inputs, dynamic_shapes=((batch, batch),)), tmp_path)
    for size in (4, 1, 8, 0):
        check(file, function, (torch.randn(size, 3, 3).double(), torch.randn(size, 3, 2).double()), tmp_path)


@pytest.mark.parametrize("function", (L.inv, lambda a: L.solve(a, a), L.cholesky, lambda a: (*L.lu_factor(a),)))
def test_a_singular_matrix_is_an_error(tmp_path, function):
    for decomposed in (False, True):
        program = torch.export.export(Function(function), (torch.eye(2).repeat(3, 1, 1),))
        file = slipway_cli.compile(program.run_decompositions() if decomposed else program, tmp_path)
        slipway_cli.run(file, [torch.eye(2).repeat(3, 1, 1)], tmp_path)
        with pytest.raises(slipway_cli.ToolError):
            slipway_cli.run(file, [torch.stack([torch.eye(2), SINGULAR[0] * 0, torch.eye(2)])], tmp_path)


def test_sizes_that_are_not_known_or_too_large_are_refused(tmp_path):
    size = torch.export.Dim("n", min=2, max=8)
    program = torch.export.export(Function(lambda a: L.inv(a)), (torch.eye(3),), dynamic_shapes=(({0: size, 1: size},),))
    with pytest.raises(slipway_cli.ToolError, match="the number of rows of the matrix is s.*must be a fixed number"):
        slipway_cli.compile(program, tmp_path)
    program = torch.export.export(Function(lambda a: L.inv(a)), (torch.eye(1025),))
    with pytest.raises(slipway_cli.ToolError, match="1025 by 1025 is too large"):
        slipway_cli.compile(program, tmp_path)
