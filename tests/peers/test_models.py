"""Well-known models, exported here by PyTorch, against eager PyTorch and in the stock ExecuTorch runtime."""

import numpy as np
import pytest
import torch
from executorch.runtime import Runtime

import image_models
import slipway_cli

# Up to fifty layers accumulate rounding in another order than PyTorch's: 1e-4 on outputs of order 1.
TOLERANCE = dict(atol=1e-4, rtol=1e-4)


class TwoLayerLstm(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = torch.nn.LSTM(16, 32, num_layers=2, batch_first=True)

    def forward(self, x):
        return self.lstm(x)


def image_model(name):
    return lambda: (image_models.make(name), (torch.randn(1, 3, 224, 224),))


MODELS = {
    **{
        name: image_model(name)
        for name in (
            "resnet18",
            "mobilenet_v3_small",
            "efficientnet_b0",
            "convnext_tiny",
            "vit_b_16",
            "swin_t",
        )
    },
    "lstm": lambda: (TwoLayerLstm(), (torch.randn(3, 7, 16),)),
    "transformer_encoder": lambda: (
        torch.nn.TransformerEncoder(
            torch.nn.TransformerEncoderLayer(32, 4, 64, batch_first=True), 2, enable_nested_tensor=False
        ),
        (torch.randn(2, 9, 32),),
    ),
}


def compare(got, expected):
    expected = torch.utils._pytree.tree_leaves(expected)
    assert len(got) == len(expected)
    for ours, theirs in zip(got, expected):
        ours = np.asarray(ours)
        assert ours.shape == tuple(theirs.shape)
        np.testing.assert_allclose(ours, theirs.detach().numpy(), **TOLERANCE)


@pytest.mark.parametrize("name", MODELS)
def test_equals_eager_and_runs_in_stock_executorch(name, tmp_path):
    torch.manual_seed(0)
    model, inputs = MODELS[name]()
    model.eval()
    with torch.no_grad():
        expected = model(*inputs)
    program = torch.export.export(model, inputs)
    compiled = slipway_cli.compile(program, tmp_path)
    outputs, _ = slipway_cli.run(compiled, inputs, tmp_path)
    compare(outputs, expected)

    method = Runtime.get().load_program(str(compiled)).load_method("forward")
    compare(method.execute(list(inputs)), expected)


@pytest.mark.parametrize("name", ["mobilenet_v3_small", "swin_t", "lstm", "transformer_encoder"])
def test_core_aten_equals_eager(name, tmp_path):
    torch.manual_seed(0)
    model, inputs = MODELS[name]()
    model.eval()
    with torch.no_grad():
        expected = model(*inputs)
    program = torch.export.export(model, inputs).run_decompositions()
    compiled = slipway_cli.compile(program, tmp_path)
    outputs, _ = slipway_cli.run(compiled, inputs, tmp_path)
    compare(outputs, expected)
