"""Writes the archives of this folder: python make_archives.py (torch 2.14.0)."""

import pathlib

import torch
from torch import nn
from torch.export import export, save

FOLDER = pathlib.Path(__file__).parent
torch.manual_seed(0)


class Decoder(nn.Module):
    """A step of attention: the keys are written by index_copy_, the values by index_put_."""

    def __init__(self):
        super().__init__()
        self.project = nn.Linear(16, 48)
        for name in ("keys", "values"):
            self.register_buffer(name, torch.zeros(1, 2, 16, 8))

    def forward(self, x, positions):
        length = x.shape[1]
        query, key, value = (t.view(1, length, 2, 8).transpose(1, 2) for t in self.project(x).split(16, dim=-1))
        self.keys.index_copy_(2, positions, key)
        self.values[:, :, positions] = value
        mask = torch.arange(16) <= positions[:, None]
        return nn.functional.scaled_dot_product_attention(query, self.keys, self.values, attn_mask=mask)


def write(name, length):
    """The positions of one token follow each other; those of several need not."""
    program = export(Decoder().eval(), (torch.randn(1, length, 16), torch.arange(length)))
    # They hold the paths of whoever runs this.
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)
    save(program, FOLDER / name)


write("decoder_of_one.pt2", 1)
write("decoder_of_three.pt2", 3)
