"""Random numbers: PyTorch's distributions, other numbers at each run, and the same ones again for the same seed."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import slipway_cli
from function_module import Function

COUNT = 20000


def draw(tmp_path, function, *inputs, runs=1, options=(), decomposed=False, dynamic=None):
    """The outputs of each of some runs of one module."""
    program = torch.export.export(Function(function), inputs, dynamic_shapes=dynamic)
    file = slipway_cli.compile(program.run_decompositions() if decomposed else program, tmp_path, *options)
    return again(tmp_path, file, *inputs, runs=runs)


def again(tmp_path, file, *inputs, runs=1):
    """Of each run after one load, by loading it for each."""
    return [slipway_cli.run(file, list(inputs), tmp_path, "--repeat", str(run + 1))[0] for run in range(runs)]


def cdf_distance(sample, cdf):
    """Kolmogorov and Smirnov's: how far the sample's distribution is from the given one."""
    sample = np.sort(sample.astype(np.float64).ravel())
    expected = cdf(sample)
    steps = np.arange(len(sample) + 1) / len(sample)
    return max(np.abs(expected - steps[1:]).max(), np.abs(expected - steps[:-1]).max())


def check_distribution(sample, cdf):
    # One sample in a million of the right distribution is farther away.
    assert cdf_distance(sample, cdf) < 2.7 / np.sqrt(sample.size)


def normal_cdf(x):
    return 0.5 * (1 + torch.erf(torch.from_numpy(x) / 2**0.5).numpy())


def uniform_cdf(x):
    return np.clip(x, 0, 1)


@pytest.mark.parametrize("decomposed", (False, True))
def test_distributions(tmp_path, decomposed):
    def function(x):
        return (
            torch.rand(COUNT), torch.rand_like(x), torch.randn(COUNT), torch.randn_like(x), torch.rand(COUNT, dtype=torch.float64),
            torch.randn(COUNT, dtype=torch.float64), torch.normal(x, 2.0), torch.normal(1.0, x + 3), torch.normal(x, x + 2), torch.normal(1.0, 2.0, (COUNT,)),
            x.clone().uniform_(-1, 3), x.clone().exponential_(2.0), x.clone().normal_(1.0, 0.5), x.clone().log_normal_(0.5, 0.25),
        )  # fmt: skip

    [out] = draw(tmp_path, function, torch.zeros(COUNT), decomposed=decomposed)
    for i, cdf in enumerate((
        uniform_cdf, uniform_cdf, normal_cdf, normal_cdf, uniform_cdf, normal_cdf, lambda x: normal_cdf(x / 2), lambda x: normal_cdf((x - 1) / 3), lambda x: normal_cdf(x / 2),
        lambda x: normal_cdf((x - 1) / 2), lambda x: uniform_cdf((x + 1) / 4), lambda x: 1 - np.exp(-2 * x), lambda x: normal_cdf((x - 1) * 2), lambda x: normal_cdf((np.log(x) - 0.5) * 4),
    )):  # fmt: skip
        check_distribution(out[i], cdf)
    for uniform in (out[0], out[1], out[4]):
        assert uniform.min() >= 0 and uniform.max() < 1
    assert np.isfinite(out[2]).all() and abs(out[2].std() - 1) < 0.03 and abs((out[2] ** 4).mean() - 3) < 0.3
    # One draw says nothing of another one, nor of the next element.
    for a, b in ((out[0], out[1]), (out[2], out[3]), (out[0][1:], out[0][:-1]), (out[2][1:], out[2][:-1]), (out[2][COUNT // 2 :], out[2][: COUNT // 2])):
        assert abs(np.corrcoef(a, b)[0, 1]) < 0.05


@pytest.mark.parametrize("decomposed", (False, True))
def test_choices(tmp_path, decomposed):
    weights = torch.tensor([[0.1, 0.0, 0.6, 0.3], [1.0, 1.0, 1.0, 1.0]])

    def function(x, w):
        return (
            torch.bernoulli(x + 0.3), torch.bernoulli(x, 0.6), x.clone().bernoulli_(0.9), torch.randint(3, 9, (COUNT,)), torch.randint_like(x, 5), torch.randint(-(2**40), 2**40, (COUNT,)),
            torch.randperm(1000), torch.multinomial(w, COUNT, replacement=True), torch.multinomial(w.repeat(5000, 1), 2),
        )  # fmt: skip

    [out] = draw(tmp_path, function, torch.zeros(COUNT), weights, decomposed=decomposed)
    for drawn, p in zip(out[:3], (0.3, 0.6, 0.9)):
        assert set(np.unique(drawn)) == {0.0, 1.0} and abs(drawn.mean() - p) < 0.02
    for drawn, low, high in ((out[3], 3, 9), (out[4].astype(int), 0, 5)):
        counts = np.bincount(drawn, minlength=high)
        assert counts[:low].sum() == 0 and len(counts) == high and abs(counts[low:] / COUNT - 1 / (high - low)).max() < 0.02
    check_distribution(out[5], lambda x: (x + 2**40) / 2**41)
    assert sorted(out[6]) == list(range(1000)) and abs(np.corrcoef(out[6], np.arange(1000))[0, 1]) < 0.2
    for row, expected in zip(out[7], weights / weights.sum(1, keepdim=True)):
        assert abs(np.bincount(row, minlength=4) / COUNT - expected.numpy()).max() < 0.02
    pairs = out[8].reshape(5000, 2, 2)
    assert (pairs[..., 0] != pairs[..., 1]).all() and (pairs[:, 0] != 1).all()
    assert abs((pairs[:, 0, 0] == 2).mean() - 0.6) < 0.04
    # After 2 with its 0.6, 3 comes with 0.3 of 0.4.
    assert abs((pairs[:, 0, 1][pairs[:, 0, 0] == 2] == 3).mean() - 0.75) < 0.04


@pytest.mark.parametrize("decomposed", (False, True))
def test_dropout(tmp_path, decomposed):
    def function(x, y):
        return F.dropout(x, 0.25), F.dropout1d(y, 0.5), F.alpha_dropout(x, 0.2), *torch.native_dropout(x, 0.4, True), F.dropout(x, 1.0), F.dropout(x, 0.0), F.dropout(x.clone(), 0.25, inplace=True)

    x, y = torch.randn(COUNT), torch.ones(100, 30, 4)
    [out] = draw(tmp_path, function, x, y, decomposed=decomposed)
    for result, p in ((out[0], 0.25), (out[3], 0.4), (out[7], 0.25)):
        kept = result != 0
        assert abs(kept.mean() - (1 - p)) < 0.02
        np.testing.assert_allclose(result[kept], x.numpy()[kept] / (1 - p), rtol=1e-5)
    assert out[4].dtype == bool and (out[4] == (out[3] != 0)).all()
    assert set(np.unique(out[1])) == {0.0, 2.0} and (out[1] == out[1][..., :1]).all() and abs(out[1].mean() - 1) < 0.1
    assert abs(out[2].mean()) < 0.05 and abs(out[2].std() - 1) < 0.05 and len(np.unique(out[2])) > COUNT // 2
    assert (out[5] == 0).all() and (out[6] == x.numpy()).all()
    assert ((out[0] != 0) != (out[7] != 0)).any()


@pytest.mark.parametrize("engine", ("none", "openvino"))
def test_runs_differ_and_loads_repeat(tmp_path, engine):
    def function(x):
        return x + torch.rand_like(x), torch.randn(1000)

    program = torch.export.export(Function(function), (torch.zeros(1000),))
    file = slipway_cli.compile(program, tmp_path, engine=engine)
    first = again(tmp_path, file, torch.zeros(1000), runs=3)
    for run in range(2):
        for a, b in zip(first[run], first[run + 1]):
            assert not np.isin(a, b).any() or np.isin(a, b).mean() < 0.01
    for a, b in zip(first, again(tmp_path, file, torch.zeros(1000), runs=3)):
        assert all((x == y).all() for x, y in zip(a, b))
    same = slipway_cli.compile(program, tmp_path, "--seed", "0", engine=engine)
    assert all((x == y).all() for x, y in zip(first[0], again(tmp_path, same, torch.zeros(1000))[0]))
    other = slipway_cli.compile(program, tmp_path, "--seed", "18446744073709551615", engine=engine)
    for a, b in zip(first[0], again(tmp_path, other, torch.zeros(1000))[0]):
        assert (a != b).mean() > 0.99


def test_sizes_that_vary_and_types(tmp_path):
    def function(x):
        return torch.randn_like(x), torch.rand(x.shape[0], 3, dtype=torch.float16), torch.rand_like(x, dtype=torch.bfloat16).float(), torch.randperm(x.shape[0]), F.dropout(x.half(), 0.5)

    program = torch.export.export(Function(function), (torch.zeros(7),), dynamic_shapes=(({0: torch.export.Dim("n", max=4000)},),))
    file = slipway_cli.compile(program, tmp_path)
    for size in (7, 1, 0, 4000):
        [out] = again(tmp_path, file, torch.ones(size))
        assert [o.shape for o in out] == [(size,), (size, 3), (size,), (size,), (size,)]
        assert sorted(out[3]) == list(range(size))
        assert size == 0 or (out[1].max() < 1 and out[2].max() < 1)
    check_distribution(out[0], normal_cdf)
    check_distribution(out[1].astype(np.float64) + 2.0**-12, uniform_cdf)


@pytest.mark.parametrize("decomposed", (False, True))
def test_draws_in_branches(tmp_path, decomposed):
    def function(x):
        def inner(x):
            return torch.cond(x.sum() > 1, lambda x: F.dropout(x, 0.5) + torch.randn_like(x), lambda x: x + torch.rand_like(x), (x,))

        return torch.cond(x.sum() > 0, inner, lambda x: x.clone(), (x,))

    dynamic = (({0: torch.export.Dim("n", max=COUNT)},),)
    program = torch.export.export(Function(function), (torch.ones(10),), dynamic_shapes=dynamic)
    file = slipway_cli.compile(program.run_decompositions() if decomposed else program, tmp_path)
    first, second = again(tmp_path, file, torch.full((COUNT,), 2.0), runs=2)
    check_distribution(first[0], lambda x: (normal_cdf(x) + normal_cdf(x - 4)) / 2)
    assert (first[0] != second[0]).all()
    little = torch.full((COUNT,), 0.5 / COUNT)
    check_distribution(again(tmp_path, file, little)[0][0], uniform_cdf)
    assert (again(tmp_path, file, -torch.ones(5))[0][0] == -1).all()


def test_draws_in_loops_are_refused_with_what_helps(tmp_path):
    def function(x):
        return torch._higher_order_ops.while_loop(lambda i, x: i < 3, lambda i, x: (i + 1, x + torch.rand_like(x)), (torch.tensor(0), x))

    program = torch.export.export(Function(function), (torch.ones(3),))
    with pytest.raises(slipway_cli.ToolError, match="in a loop.*draw them before"):
        slipway_cli.compile(program, tmp_path)


def test_other_operators_and_outputs_are_refused(tmp_path):
    program = torch.export.export(Function(torch.poisson), (torch.ones(3),))
    with pytest.raises(slipway_cli.ToolError, match="(?s)poisson.*draw them outside and pass them in"):
        slipway_cli.compile(program, tmp_path)
    program = torch.export.export(Function(torch.rand_like), (torch.ones(3),))
    torch.export.save(program, tmp_path / "model.pt2")
    with pytest.raises(slipway_cli.ToolError, match="rand_like"):
        slipway_cli.call("compile", tmp_path / "model.pt2", "-o", tmp_path / "model.onnx")
    with pytest.raises(slipway_cli.ToolError, match="--seed has no effect"):
        slipway_cli.call("compile", tmp_path / "model.pt2", "-o", tmp_path / "copy.pt2", "--engine", "none", "--seed", "1")


def test_each_method_has_a_state_of_its_own(tmp_path):
    for name in ("a", "b"):
        torch.export.save(torch.export.export(Function(lambda x: x + torch.rand(100)), (torch.zeros(100),)), tmp_path / f"{name}.pt2")
    file = tmp_path / "model.pte"
    slipway_cli.call("compile", f"a={tmp_path / 'a.pt2'}", f"b={tmp_path / 'b.pt2'}", "-o", file, "--engine", "none")
    for name in ("a", "b"):
        first, second = (slipway_cli.run(file, [torch.zeros(100)], tmp_path, "--method", name, "--repeat", runs)[0][0] for runs in ("1", "2"))
        assert first.min() >= 0 and first.max() < 1 and (first != second).all()


def test_the_end_of_a_range_is_not_drawn(tmp_path):
    def function(x):
        return x.clone().uniform_(1000, 1001) >= 1001, x.half().uniform_(100, 101) >= 101, x.bfloat16().uniform_(-1, 0) >= 0, x.clone().uniform_(2, 2) == 2

    [out] = draw(tmp_path, function, torch.zeros(100_000))
    assert [each.any() for each in out[:3]] == [False] * 3
    assert out[3].all()


@pytest.mark.parametrize(("function", "message"), [
    (lambda x: torch.randn(5, dtype=torch.complex64).real + x, "complex random numbers"),
    (lambda x: torch.randint(0, 2**62, (5,)) + x, "at most 2\\^42"),
    (lambda x: torch.randint(-(2**63), 2**63 - 1, (5,)) + x, "at most 2\\^42"),
])  # fmt: skip
def test_what_is_not_drawn_is_refused(tmp_path, function, message):
    with pytest.raises(slipway_cli.ToolError, match=message):
        slipway_cli.compile(torch.export.export(Function(function), (torch.zeros(5),)), tmp_path)
