"""Whole models in both dialects, on kernels and on OpenVINO, against eager PyTorch."""

import numpy as np
import torch
from executorch.runtime import Runtime
from torch import nn

import slipway_cli

# Ten layers and more, whose sums are rounded in another order than PyTorch's.
TOLERANCE = dict(atol=1e-5, rtol=1e-4)


def enliven(model):
    """Weights that let every layer be seen in the outputs, where models begin with small ones."""
    for parameter in model.parameters():
        if parameter.dim() > 1:
            nn.init.normal_(parameter, std=parameter[0].numel() ** -0.5)
    return model.eval()


def compare(got, expected):
    expected = torch.utils._pytree.tree_leaves(expected)
    assert len(got) == len(expected)
    for ours, theirs in zip(got, expected):
        ours = np.asarray(ours)
        assert ours.shape == tuple(theirs.shape)
        np.testing.assert_allclose(ours, theirs.numpy(), **TOLERANCE)


def check(tmp_path, model, *runs, dynamic=None, options=(), one_engine=False):
    """On each set of inputs."""
    with torch.no_grad():
        expected = [model(*inputs) for inputs in runs]
        program = torch.export.export(model, runs[0], dynamic_shapes=dynamic)
    for dialect in (program, program.run_decompositions()):
        for engine in ("none", "openvino"):
            file = slipway_cli.compile(dialect, tmp_path, *options, engine=engine)
            if one_engine and engine == "openvino":
                slipway_cli.check_one_partition(file)
            for inputs, outputs in zip(runs, expected):
                compare(slipway_cli.run(file, list(inputs), tmp_path)[0], outputs)


def check_steps(tmp_path, model, steps):
    """A model with state, in buffers. Engines run its first step and, from the state that it is in then, its last one; the stock
    ExecuTorch runtime runs all of them on kernels. PyTorch 2.14 has no core dialect of transformers' caches."""
    method = None
    with torch.no_grad():
        for step, inputs in enumerate(steps):
            files = []
            if step in (0, len(steps) - 1):
                # Exporting goes on counting in the model's own buffers.
                before = {name: buffer.clone() for name, buffer in model.named_buffers()}
                program = torch.export.export(model, inputs)
                for name, buffer in model.named_buffers():
                    buffer.copy_(before[name])
                for engine in ("none", "openvino"):
                    folder = tmp_path / f"{engine}.{step}"
                    folder.mkdir()
                    files.append(slipway_cli.compile(program, folder, engine=engine))
            if method is None:
                method = Runtime.get().load_program(str(files[0])).load_method("forward")
            expected = model(*inputs)
            compare(method.execute(list(inputs)), expected)
            for file in files:
                outputs, state = slipway_cli.run(file, list(inputs), tmp_path)
                compare(outputs, expected)
                assert state
                for name, value in state.items():
                    compare([value], model.get_buffer(name))
