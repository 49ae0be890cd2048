"""Decoders whose caches of keys and values TensorRT writes in place: what is in the file, and, by ONNX Runtime, what the model
computes that TensorRT is given."""

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

import slipway_cli
from test_tensorrt import read_delegates
from test_tensorrt_blob import read_blob

LENGTH = 16


class Decoder(nn.Module):
    """Attends to all positions up to its own; its cache is written by index_copy_ or index_put_."""

    def __init__(self, write, dtype=torch.float32):
        super().__init__()
        self.write = write
        self.project = nn.Linear(16, 48, dtype=dtype)
        self.out = nn.Linear(16, 16, dtype=dtype)
        for name in ("keys", "values"):
            self.register_buffer(name, torch.zeros(1, 2, LENGTH, 8, dtype=dtype))

    def update(self, cache, positions, new):
        if self.write == "index_put":
            cache[:, :, positions] = new
        else:
            cache.index_copy_(2, positions, new)

    def forward(self, x, positions):
        length = x.shape[1]
        query, key, value = (t.view(1, length, 2, 8).transpose(1, 2) for t in self.project(x).split(16, dim=-1))
        self.update(self.keys, positions, key)
        self.update(self.values, positions, value)
        mask = torch.arange(LENGTH) <= (positions % LENGTH)[:, None]
        y = nn.functional.scaled_dot_product_attention(query, self.keys, self.values, attn_mask=mask)
        return self.out(y.transpose(1, 2).reshape(1, length, 16))


class Following(Decoder):
    """As many positions as there are tokens, from `start` on."""

    def forward(self, x, start):
        return super().forward(x, start + torch.arange(x.shape[1]))


class FromTheFront(Decoder):
    def forward(self, x):
        return super().forward(x, torch.arange(x.shape[1]))


def at(*positions):
    return (torch.tensor(positions),)


# Model, tokens in a call, the arguments besides them of one call after the other; whether the cache is written in place.
CASES = {
    "copied_one": (Decoder("index_copy"), 1, [at(0), at(1), at(15)], True),
    "put_one": (Decoder("index_put"), 1, [at(0), at(3), at(-1)], True),
    "copied_following": (Following("index_copy"), 4, [at(0), at(4), at(12)], True),
    "copied_from_the_front": (FromTheFront("index_copy"), 5, [(), ()], True),
    "put_from_the_front": (FromTheFront("index_put"), 5, [(), ()], True),
    # From -1 on, the second place would be the first again.
    "put_following": (Following("index_put"), 4, [at(0), at(4)], False),
    "copied_anywhere": (Decoder("index_copy"), 3, [at(0, 1, 2), at(9, 4, 11)], False),
}


def export(name, folder, dialect):
    torch.manual_seed(0)
    model, length, calls, in_place = CASES[name]
    for cache in (model.keys, model.values):
        cache.zero_()
    program = torch.export.export(model.eval(), (torch.randn(1, length, 16), *calls[0]))
    if dialect == "core":
        program = program.run_decompositions()
        # There is no index_copy there, and its index_put may count from the end.
        in_place = in_place and name != "copied_following"
    torch.export.save(program, folder / "model.pt2")
    return folder / "model.pt2", in_place


@pytest.mark.parametrize("dialect", ["training", "core"])
@pytest.mark.parametrize("name", CASES)
def test_the_cache_is_one_with_the_engines_output(name, dialect, tmp_path):
    archive, in_place = export(name, tmp_path, dialect)
    file = tmp_path / "model.pte"
    slipway_cli.call("compile", archive, "-o", file, "--engine", "tensorrt", "--target", "sm_86", "--no-cache")
    method = slipway_cli.inspect(file)
    [engine] = method["engines"]
    assert not method["outside"]
    [(_, blob)], _ = read_delegates(file)
    said, _ = read_blob(blob)
    assert blob[:4] == (b"TR02" if in_place else b"TR01")
    pairs = [(alias["input"], alias["kind"]) for alias in said["aliased_io"]]
    assert pairs == ([("b_keys", "kv_cache_update"), ("b_values", "kv_cache_update")] if in_place else [])
    assert len(engine["aliases"]) == len(pairs)
    # Where the engine does not write it in place, what it gives is copied.
    copies = [line for line in method["instructions"] if "copy" in line]
    assert len(copies) == (0 if in_place else 2)


@pytest.mark.parametrize("dialect", ["training", "core"])
@pytest.mark.parametrize("name", CASES)
def test_what_tensorrt_is_given_computes_the_same(name, dialect, tmp_path):
    archive, in_place = export(name, tmp_path, dialect)
    slipway_cli.call("compile", archive, "-o", tmp_path / "model.onnx", "--engine", "tensorrt")
    assert (b"TensorScatter" in (tmp_path / "model.onnx").read_bytes()) == in_place
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    lowered = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"), options, providers=["CPUExecutionProvider"])
    inputs = [slot.name for slot in lowered.get_inputs()]
    states = [slot.name for slot in lowered.get_overridable_initializers()]
    assert sorted(states) == ["b_keys", "b_values"]

    model, length, calls, _ = CASES[name]
    state = {}
    for arguments in calls:
        x = torch.randn(1, length, 16)
        feeds = {name: value.numpy() for name, value in zip(inputs, (x, *arguments))}
        output, keys, values = lowered.run(None, feeds | state)
        state = {"b_keys": keys, "b_values": values}
        with torch.no_grad():
            expected = model(x, *arguments)
        for ours, theirs in [(output, expected), (keys, model.keys), (values, model.values)]:
            np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-5, rtol=1e-5)
