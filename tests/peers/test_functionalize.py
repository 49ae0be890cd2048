"""Programs that write in place, against eager PyTorch: outputs, buffers and inputs afterwards."""

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import slipway_cli


def function(body, *inputs):
    """A case without state."""

    class Function(torch.nn.Module):
        def forward(self, *arguments):
            return body(*arguments)

    return Function(), inputs


def stateful(body, buffers, *inputs):
    """A case whose body gets the module, with these buffers."""

    class Stateful(torch.nn.Module):
        def __init__(self):
            super().__init__()
            for name, tensor in buffers.items():
                self.register_buffer(name, tensor)

        def forward(self, *arguments):
            return body(self, *arguments)

    return Stateful(), inputs


X34 = torch.arange(12.0).reshape(3, 4)


def chain(x):
    y = x.clone()
    y[1:3, 0].add_(1)
    return y


def transposed_row(x):
    y = x * 1
    y.t()[0].mul_(2)
    return y


def view_sees_base(x):
    y = x * 1
    view = y[0]
    y.add_(1)
    return view + 1, y


def two_views(x):
    y = x * 1
    first, second = y[:2], y[1:]
    first.mul_(3)
    second.add_(first.sum())
    return first, second, y


def split_writes(x):
    y = x + 0
    a, b = y.split([1, 3], dim=1)
    a.zero_()
    b.unbind(0)[2].fill_(7)
    return y, a, b


def reshape_aliases(x):
    y = x + 0
    y.reshape(4, 3)[0].zero_()
    return y


def reshape_copies(x):
    y = x + 0
    y.t().reshape(3, 4)[0].zero_()
    return y


def diagonal_fill(x):
    y = x + 0
    y.diagonal(1).fill_(-1.0)
    return y


def strided(x):
    y = x + 0
    y.as_strided((2, 2), (5, 2), 1).mul_(10)
    return y


def strided_of_transposed(x):
    y = (x + 0).t()
    return y.as_strided((2, 3), (3, 1), 2)


def unfold_write(x):
    y = x + 0
    y.unfold(1, 2, 2)[0].neg_()
    return y


def detached(x):
    y = x + 0
    y.detach().add_(5)
    return y


def inactive_dropout_aliases(x):
    y = x + 0
    F.dropout(y, 0.5, False).add_(1)
    return y


def in_place_view(x):
    y = x + 0
    y.unsqueeze_(0)
    y.add_(1)
    return y


def promotion(x):
    y = x.to(torch.int32)
    y.add_(torch.ones(4, dtype=torch.int64))
    y.mul_(True)
    half = x.to(torch.float16)
    half.add_(x / 3)
    return y, half.float()


def comparison(x):
    y = x + 0
    y.gt_(3)
    return y


def copy_casts(x, i):
    y = torch.zeros(3, 4)
    y.copy_(i)
    y[:, 1:3].copy_(x[0, :2])
    return y


def indexed(x, mask, i):
    y = x + 0
    y[i] = 1.5
    y.masked_fill_(mask, -2.0)
    y.index_fill_(1, i, 3.0)
    y.index_add_(0, i, x[:2])
    return y


def scattered(x, i):
    y = x + 0
    y.scatter_(1, i, 9.0)
    y.scatter_(1, i + 1, x)
    y.scatter_add_(1, i, x)
    return y


def activations(x):
    y = x - 5
    F.relu_(y[0])
    F.hardswish(y[1], inplace=True)
    F.silu(y[2], inplace=True)
    y.clamp_(-1, 4)
    y.sigmoid_()
    return y


def channels_last(x):
    return x.to(memory_format=torch.channels_last) + 1


def channels_last_writes(x):
    y = x.contiguous(memory_format=torch.channels_last)
    y[:, 1].add_(1)
    return y.permute(0, 2, 3, 1) * 2, x + 1


def flattened(x):
    y = x + 0
    y.flatten()[2:5].zero_()
    y.unflatten(1, (2, 2))[:, 0].add_(1)
    y.unsqueeze(0).squeeze(0).narrow(0, 1, 1).add_(2)
    y.chunk(2, 1)[1].mul_(2)
    y.movedim(0, 1)[0].sub_(1)
    return y


def expanded_read(x):
    y = x[:1] + 0
    wide = y.expand(3, 4)
    y.add_(1)
    return wide * 2


def mutate_input(x, y):
    x[0].add_(y)
    return x.sum()


def input_from_input(x, y):
    old = x * 1
    x.copy_(y)
    y.add_(old)
    return x * y


def swap_inputs(x, y):
    old = x.clone()
    x.copy_(y)
    y.copy_(old)
    return x - y


def accumulate(m, x):
    m.total.add_(x.sum(0))
    m.count += 1
    return m.total / m.count


def buffer_through_view(m, x):
    m.cache[1:, 0] = x[0, :2]
    m.cache.view(-1)[0].sub_(1)
    return m.cache * 1, m.cache[1]


def returns_old_value(m, x):
    old = m.cache.clone()
    m.cache.copy_(x)
    return old, m.cache


def swap_buffers(m, x):
    old = m.a.clone()
    m.a.copy_(m.b)
    m.b.copy_(old)
    return x + m.a


def cache_index_copy(m, x, position):
    m.cache.index_copy_(1, position, x)
    return m.cache.sum(1)


def cache_index_put(m, x, position):
    m.cache[:, position] = x
    return m.cache.sum(1)


def cache_slice(m, x, position):
    m.cache[:, 2:4].copy_(x)
    return m.cache.sum(1)


def branch_after_write(x):
    y = x + 0
    y[0].add_(1)
    return torch.cond(y.sum() > 50, lambda t: t + 1, lambda t: t.clone().mul_(2), (y,))


# What each writes into a tensor x of values between 0 and 1; y is another such, m a mask, i two indices of rows.
IN_PLACE = {
    "element by element": [
        lambda x, y, m, i, name=name: getattr(x, name + "_")()
        for name in (
            "abs acos asin atan ceil cos cosh erf exp expm1 floor frac log log10 log1p log2 neg reciprocal relu round"
            " rsqrt sigmoid sign sin sinh sqrt square tan tanh trunc"
        ).split()
    ],
    "activations": [
        lambda x, y, m, i: F.hardtanh(x, -0.2, 0.4, inplace=True),
        lambda x, y, m, i: F.hardsigmoid(x, inplace=True),
        lambda x, y, m, i: F.hardswish(x, inplace=True),
        lambda x, y, m, i: F.leaky_relu(x - 0.5, 0.1, inplace=True),
        lambda x, y, m, i: F.elu(x - 0.5, inplace=True),
        lambda x, y, m, i: F.selu(x - 0.5, inplace=True),
        lambda x, y, m, i: F.celu(x - 0.5, inplace=True),
        lambda x, y, m, i: F.mish(x, inplace=True),
        lambda x, y, m, i: F.relu6(x * 9, inplace=True),
        lambda x, y, m, i: F.threshold(x, 0.5, -1.0, inplace=True),
        lambda x, y, m, i: torch.ops.aten.gelu_(x),
    ],
    "numbers": [
        lambda x, y, m, i: x.add_(2, alpha=3),
        lambda x, y, m, i: x.sub_(y, alpha=0.5),
        lambda x, y, m, i: x.mul_(y[0]),
        lambda x, y, m, i: x.div_(y + 1),
        lambda x, y, m, i: x.div_(0.3, rounding_mode="floor"),
        lambda x, y, m, i: x.floor_divide_(0.3),
        lambda x, y, m, i: x.pow_(2),
        lambda x, y, m, i: x.pow_(y),
        lambda x, y, m, i: x.floor_divide_(y + 0.1),
        lambda x, y, m, i: x.ldexp_(torch.tensor(2)),
        lambda x, y, m, i: x.remainder_(0.4),
        lambda x, y, m, i: x.fmod_(y + 0.1),
        lambda x, y, m, i: x.clamp_(0.2, 0.7),
        lambda x, y, m, i: x.clamp_min_(0.4),
        lambda x, y, m, i: x.clamp_(max=y),
        lambda x, y, m, i: x.lerp_(y, 0.3),
        lambda x, y, m, i: x.addcmul_(y, y, value=2),
        lambda x, y, m, i: x.addcdiv_(y, y + 1),
        lambda x, y, m, i: x.atan2_(y),
        lambda x, y, m, i: x.cumsum_(1),
        lambda x, y, m, i: x.nan_to_num_(0.5),
        lambda x, y, m, i: x.addmm_(y, y.mT @ y, beta=0.5),
    ],
    "comparisons": [
        lambda x, y, m, i: x.eq_(y),
        lambda x, y, m, i: x.ne_(0.5),
        lambda x, y, m, i: x.lt_(y),
        lambda x, y, m, i: x.ge_(0.5),
        lambda x, y, m, i: x.logical_and_(y),
        lambda x, y, m, i: x.logical_not_(),
        lambda x, y, m, i: m.clone().logical_xor_(y > 0.5),
        lambda x, y, m, i: m.clone().bitwise_or_(y > 0.5),
        lambda x, y, m, i: m.clone().__iand__(y > 0.5),
        lambda x, y, m, i: (x * 9).int().bitwise_and_(5),
    ],
    "parts": [
        lambda x, y, m, i: x.zero_(),
        lambda x, y, m, i: x.fill_(y[0, 0]),
        lambda x, y, m, i: x.copy_(y[1]),
        lambda x, y, m, i: x.masked_fill_(m, y[0, 0]),
        lambda x, y, m, i: x.index_put_((i,), y[:2], accumulate=True),
        lambda x, y, m, i: x.index_copy_(0, i, y[1:]),
        lambda x, y, m, i: x.index_fill_(0, i, y[0, 0]),
        lambda x, y, m, i: x.index_add_(0, i, y[1:], alpha=2),
        lambda x, y, m, i: x.scatter_(0, i.unsqueeze(1), y[:2], reduce="add"),
        lambda x, y, m, i: x.scatter_reduce_(0, i.unsqueeze(1).expand(2, 4), y[:2], "sum"),
        lambda x, y, m, i: x.masked_scatter_(m, y),
        lambda x, y, m, i: x.tril_(),
        lambda x, y, m, i: x.triu_(1),
        lambda x, y, m, i: x.fill_diagonal_(2),
        lambda x, y, m, i: torch.cat([x, y]).fill_diagonal_(2, wrap=True),
        lambda x, y, m, i: x.transpose_(0, 1).add_(1),
        lambda x, y, m, i: x.t_().squeeze_().mul_(2),
    ],
}


class Tied(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("a", torch.ones(3))
        self.register_buffer("b", self.a)

    def forward(self, x):
        self.a.add_(x)
        return self.b * 2


I3 = torch.tensor([0, 2])
def unsaid_views(x):
    y = x + 0
    torch.atleast_3d(y)[0].add_(1)
    seen = y.sum_to_size(3, 4)
    torch.conj_physical(y)[2] = 7
    return y, seen


def copied_number(x):
    y = x + 0
    y[1].copy_(0.5)
    return y


def unsafe_chunks(x):
    y = x + 0
    torch.unsafe_chunk(y, 2)[0].mul_(2)
    torch.unsafe_split(y, 2)[1].add_(1)
    return y


CASES = {
    "copied_number": function(copied_number, X34),
    "unsafe_chunks": function(unsafe_chunks, X34),
    "unsaid_views": function(unsaid_views, X34),
    "chain": function(chain, X34),
    "transposed_row": function(transposed_row, X34),
    "view_sees_base": function(view_sees_base, X34),
    "two_views": function(two_views, X34),
    "split_writes": function(split_writes, X34),
    "reshape_aliases": function(reshape_aliases, X34),
    "reshape_copies": function(reshape_copies, X34),
    "diagonal_fill": function(diagonal_fill, X34),
    "strided": function(strided, X34),
    "strided_of_transposed": function(strided_of_transposed, X34),
    "unfold_write": function(unfold_write, X34),
    "detached": function(detached, X34),
    "inactive_dropout_aliases": function(inactive_dropout_aliases, X34),
    "in_place_view": function(in_place_view, X34),
    "promotion": function(promotion, X34),
    "comparison": function(comparison, X34),
    "copy_casts": function(copy_casts, X34, torch.arange(4)),
    "indexed": function(indexed, X34, X34 > 8, I3),
    "scattered": function(scattered, X34, torch.tensor([[0, 1], [1, 2], [2, 0]])),
    "activations": function(activations, X34),
    "channels_last": function(channels_last, torch.randn(2, 3, 4, 5)),
    "channels_last_writes": function(channels_last_writes, torch.randn(2, 3, 4, 5)),
    "flattened": function(flattened, X34),
    "expanded_read": function(expanded_read, X34),
    "mutate_input": function(mutate_input, X34.clone(), torch.ones(4)),
    "input_from_input": function(input_from_input, X34.clone(), X34 + 1),
    "swap_inputs": function(swap_inputs, X34.clone(), X34 + 1),
    "branch_after_write": function(branch_after_write, X34),
    "accumulate": stateful(accumulate, {"total": torch.zeros(4), "count": torch.tensor(0)}, X34),
    "buffer_through_view": stateful(buffer_through_view, {"cache": torch.zeros(3, 2)}, X34),
    "returns_old_value": stateful(returns_old_value, {"cache": torch.ones(3, 4)}, X34),
    "swap_buffers": stateful(swap_buffers, {"a": torch.ones(4), "b": torch.arange(4.0)}, X34),
    "cache_index_copy": stateful(
        cache_index_copy, {"cache": torch.zeros(2, 8, 3)}, torch.randn(2, 2, 3), torch.tensor([3, 4])
    ),
    "cache_index_put": stateful(
        cache_index_put, {"cache": torch.zeros(2, 8, 3)}, torch.randn(2, 2, 3), torch.tensor([3, 4])
    ),
    "cache_slice": stateful(
        cache_slice, {"cache": torch.zeros(2, 8, 3)}, torch.randn(2, 2, 3), torch.tensor([3, 4])
    ),
    **{
        name: function(
            lambda x, y, m, i, group=group: [write(x.clone(), y, m, i) for write in group],
            torch.rand(3, 4, generator=torch.Generator().manual_seed(1)),
            torch.rand(3, 4, generator=torch.Generator().manual_seed(2)),
            torch.rand(3, 4, generator=torch.Generator().manual_seed(3)) > 0.5,
            torch.tensor([2, 0]),
        )
        for name, group in IN_PLACE.items()
    },
    "tied": (Tied(), (torch.arange(3.0),)),
}


def check(program, model, inputs, folder):
    """Compares a run of the compiled program with a run of the model, which may change its inputs."""
    compiled = slipway_cli.compile(program, folder)
    outputs, state = slipway_cli.run(compiled, copy.deepcopy(inputs), folder)
    buffers_before = {name: buffer.clone() for name, buffer in model.named_buffers(remove_duplicate=False)}
    inputs_after = copy.deepcopy(inputs)
    with torch.no_grad():
        expected = torch.utils._pytree.tree_leaves(model(*inputs_after))
    assert len(outputs) == len(expected)
    for ours, theirs in zip(outputs, expected):
        assert ours.dtype == theirs.numpy().dtype
        np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-5, rtol=1e-5)
    changed = {
        name: buffer
        for name, buffer in model.named_buffers(remove_duplicate=False)
        if not torch.equal(buffer, buffers_before[name])
    }
    for position, (before, after) in enumerate(zip(inputs, inputs_after)):
        if not torch.equal(before, after):
            changed[f"input.{position}"] = after
    for name, tensor in changed.items():
        np.testing.assert_allclose(state[name], tensor.numpy(), atol=1e-5, rtol=1e-5, err_msg=name)


@pytest.mark.parametrize("name", CASES)
def test_training_ir(name, tmp_path):
    torch.manual_seed(0)
    model, inputs = CASES[name]
    model = copy.deepcopy(model).eval()
    check(torch.export.export(model, copy.deepcopy(inputs)), model, inputs, tmp_path)


# PyTorch fails to decompose a program with one buffer under two names, and takes unsafe chunks for copies then.
@pytest.mark.parametrize("name", [name for name in CASES if name not in ("tied", "unsafe_chunks")])
def test_core_ir(name, tmp_path):
    torch.manual_seed(0)
    model, inputs = CASES[name]
    model = copy.deepcopy(model).eval()
    program = torch.export.export(model, copy.deepcopy(inputs)).run_decompositions()
    check(program, model, inputs, tmp_path)


def test_state_of_several_runs(tmp_path):
    model, inputs = stateful(accumulate, {"total": torch.zeros(4), "count": torch.tensor(0)}, X34)
    compiled = slipway_cli.compile(torch.export.export(model, inputs), tmp_path)
    outputs, state = slipway_cli.run(compiled, inputs, tmp_path, "--repeat", 3)
    assert state["count"] >= 3
    np.testing.assert_allclose(state["total"], X34.sum(0).numpy() * state["count"])
    np.testing.assert_allclose(outputs[0], X34.sum(0).numpy())


class CachedAttention(torch.nn.Module):
    """As Hugging Face exports a StaticCache: its tensors are buffers, too, but the program writes to those of the cache."""

    class Cache:
        def __init__(self):
            self.keys = torch.zeros(1, 2, 8, 4)

        def update(self, keys, position):
            self.keys.index_copy_(2, position, keys)
            return self.keys

    def __init__(self):
        super().__init__()
        self.cache = self.Cache()
        self.register_buffer("key_cache_0", self.cache.keys, persistent=False)
        self.projection = torch.nn.Linear(4, 4).requires_grad_(False)

    def forward(self, x, position):
        keys = self.cache.update(self.projection(x), position)
        return (x @ keys.mT).softmax(-1) @ keys, self.key_cache_0.sum()


# PyTorch 2.14 fails to decompose it.
@pytest.mark.parametrize("engine", ["none", "openvino"])
def test_buffer_that_is_also_a_constant_is_one_state(engine, tmp_path):
    torch.manual_seed(0)
    model, inputs = CachedAttention().eval(), (torch.randn(1, 2, 1, 4), torch.tensor([3]))
    program = torch.export.export(copy.deepcopy(model), inputs)
    assert [each.kind.name for each in program.graph_signature.input_specs].count("CONSTANT_TENSOR") == 1
    compiled = slipway_cli.compile(program, tmp_path, engine=engine)
    assert [each["name"] for each in slipway_cli.inspect(compiled)["state"]] == ["key_cache_0"]
    outputs, state = slipway_cli.run(compiled, inputs, tmp_path)
    for found, expected in zip(outputs, model(*inputs), strict=True):
        np.testing.assert_allclose(found, expected.numpy(), atol=1e-6)
    np.testing.assert_allclose(state["key_cache_0"], model.key_cache_0.numpy(), atol=1e-6)
