"""Half types on XNNPACK: computed in float32 and rounded where PyTorch rounds."""

import pytest
import torch
from executorch.exir._serialize._program import deserialize_pte_binary
from executorch.runtime import Runtime, Verification
from torch import nn

import slipway_cli

functional = nn.functional
TYPES = {torch.float16: 2e-3, torch.bfloat16: 1.6e-2}  # two units in the last place


class Layers(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.each = nn.Conv2d(8, 8, 3, groups=8)
        self.wider = nn.ConvTranspose2d(8, 4, 2, stride=2)
        self.last = nn.Linear(8, 5)

    def forward(self, x):
        y = functional.hardswish(self.norm(self.first(x)))
        y = functional.max_pool2d(self.each(y).relu(), 2)
        z = self.wider(y)
        z = torch.cat([z, z.mean((2, 3), keepdim=True) * z.sigmoid()], 1)
        return self.last(z.mean((2, 3))).softmax(1), z.transpose(1, 2) * 0.1, x.float().tanh()


@pytest.mark.parametrize("dtype", TYPES)
def test_layers(dtype, tmp_path):
    torch.manual_seed(0)
    model = Layers().eval().to(dtype)
    sizes = {0: torch.export.Dim("n", min=1, max=4)}
    exported = torch.export.export(model, (torch.randn(2, 3, 9, 10, dtype=dtype),), dynamic_shapes=(sizes,))
    compiled = slipway_cli.compile(exported, tmp_path, "--require-full", "--check", "fail", engine="xnnpack")
    [plan] = deserialize_pte_binary(compiled.read_bytes()).program.execution_plan
    assert [delegate.id for delegate in plan.delegates] == ["XnnpackBackend"]
    method = Runtime.get().load_program(compiled, verification=Verification.Minimal).load_method("forward")
    for batch in (2, 4, 1):
        x = torch.randn(batch, 3, 9, 10, dtype=dtype)
        for ours, theirs in zip(method.execute([x]), model(x), strict=True):
            assert ours.dtype == theirs.dtype
            torch.testing.assert_close(ours, theirs, atol=TYPES[dtype], rtol=TYPES[dtype])


@pytest.mark.parametrize("dtype", TYPES)
def test_conversions_give_the_very_bits(dtype, tmp_path):
    """Of each half, and of floats between halves; but for the bits of NaN, and for what the delegate flushes to 0."""
    halves = torch.arange(65536, dtype=torch.int32).to(torch.int16).view(dtype)
    up, down = (halves.float().view(torch.int32) + step for step in (1, 0x7FFF))
    floats = torch.cat([halves.float(), up.view(torch.float32), down.view(torch.float32)])

    class Conversions(nn.Module):
        def forward(self, x, y):
            return x.float(), y.to(dtype), y.to(dtype).float() * 1.0, x * 1.0

    compiled = slipway_cli.compile(torch.export.export(Conversions(), (halves, floats)), tmp_path, "--require-full", engine="xnnpack")
    method = Runtime.get().load_program(compiled, verification=Verification.Minimal).load_method("forward")
    for ours, theirs in zip(method.execute([halves, floats]), Conversions()(halves, floats), strict=True):
        small = theirs.float().abs() < 1.2e-38
        assert ours.dtype == theirs.dtype and torch.equal(ours.isnan(), theirs.isnan())
        kept = ~(theirs.isnan() | small)
        assert torch.equal(ours[kept], theirs[kept])
        assert (ours[small].abs() <= 1.2e-38).all() and torch.equal(ours[small].signbit(), theirs[small].signbit())
