"""Exports a Llama with random weights as two programs that share its cache, for generate.cc: python export_llama.py FOLDER

FOLDER/prefill.pt2 takes all tokens of a prompt at once, FOLDER/decode.pt2 one; both give the logits that follow the last one. Prints what
PyTorch itself makes of a prompt. Your own model is exported in the same way: one module, whose caches are buffers, exported once for each
shape, so that both programs have the buffers by the same names.
"""

import argparse
import pathlib

import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention, silu


def rotate(x, positions, base=10000.0):
    """x: [1, heads, tokens, size]; turns each pair of numbers by an angle that follows from the token's position."""
    half = x.shape[-1] // 2
    angles = positions[:, None] * base ** (torch.arange(half) / -half)
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    first, second = x.split(half, dim=-1)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)


class Layer(nn.Module):
    def __init__(self, width, heads, kv_heads, length):
        super().__init__()
        self.heads, self.kv_heads, self.size = heads, kv_heads, width // heads
        self.attention_norm, self.mlp_norm = nn.RMSNorm(width, eps=1e-5), nn.RMSNorm(width, eps=1e-5)
        kv_width = kv_heads * self.size
        self.query, self.key, self.value, self.out = (
            nn.Linear(a, b, bias=False) for a, b in [(width, width), (width, kv_width), (width, kv_width), (width, width)]
        )
        self.gate, self.up, self.down = (
            nn.Linear(a, b, bias=False) for a, b in [(width, 4 * width), (width, 4 * width), (4 * width, width)]
        )
        for name in ("keys", "values"):
            self.register_buffer(name, torch.zeros(1, kv_heads, length, self.size))

    def forward(self, x, positions, mask):
        y = self.attention_norm(x)
        query = self.query(y).unflatten(-1, (self.heads, self.size)).transpose(1, 2)
        key, value = (p(y).unflatten(-1, (self.kv_heads, self.size)).transpose(1, 2) for p in (self.key, self.value))
        self.keys.index_copy_(2, positions, rotate(key, positions))
        self.values.index_copy_(2, positions, value)
        repeats = self.heads // self.kv_heads
        keys, values = (cache.repeat_interleave(repeats, dim=1) for cache in (self.keys, self.values))
        y = scaled_dot_product_attention(rotate(query, positions), keys, values, attn_mask=mask)
        x = x + self.out(y.transpose(1, 2).flatten(2))
        y = self.mlp_norm(x)
        return x + self.down(silu(self.gate(y)) * self.up(y))


class Llama(nn.Module):
    """tokens: int64[1, n], positions: int64[n], where they are in the text; gives float32[1, vocabulary] of the last."""

    def __init__(self, vocabulary=256, width=64, layers=2, heads=4, kv_heads=2, length=128):
        super().__init__()
        self.vocabulary, self.length = vocabulary, length
        self.embedding = nn.Embedding(vocabulary, width)
        self.layers = nn.ModuleList(Layer(width, heads, kv_heads, length) for _ in range(layers))
        self.norm = nn.RMSNorm(width, eps=1e-5)
        self.head = nn.Linear(width, vocabulary, bias=False)

    def forward(self, tokens, positions):
        mask = torch.arange(self.length) <= positions[:, None]
        x = self.embedding(tokens)
        for layer in self.layers:
            x = layer(x, positions, mask)
        return self.head(self.norm(x[:, -1])).float()


def export(model):
    """The two programs by the names of their methods."""
    count = torch.export.Dim("count", min=1, max=model.length)
    prompt = (torch.zeros(1, 8, dtype=torch.int64), torch.arange(8))
    one = (torch.zeros(1, 1, dtype=torch.int64), torch.zeros(1, dtype=torch.int64))
    return {
        "prefill": torch.export.export(model, prompt, dynamic_shapes=({1: count}, {0: count})),
        "decode": torch.export.export(model, one),
    }


@torch.no_grad()
def generate(model, prompt, count):
    """What follows the prompt, by the largest logit each time."""
    tokens = [int(model(torch.tensor([prompt]), torch.arange(len(prompt))).argmax())]
    while len(tokens) < count:
        position = len(prompt) + len(tokens) - 1
        tokens.append(int(model(torch.tensor([tokens[-1:]]), torch.tensor([position])).argmax()))
    return tokens


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    for name, default in dict(vocabulary=256, width=64, layers=2, heads=4, kv_heads=2, length=128).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=default, help="(default: %(default)s)")
    parser.add_argument("--dtype", default="float32", help="of weights and cache (default: %(default)s)")
    parser.add_argument("--tokens", default="1,2,3", help="the prompt that is printed (default: %(default)s)")
    parser.add_argument("--max-new-tokens", type=int, default=16, help="(default: %(default)s)")
    arguments = vars(parser.parse_args())
    folder, tokens, count = (arguments.pop(name) for name in ("folder", "tokens", "max_new_tokens"))
    dtype = getattr(torch, arguments.pop("dtype"))
    torch.manual_seed(0)
    model = Llama(**arguments).eval().to(dtype)
    folder.mkdir(parents=True, exist_ok=True)
    for name, program in export(model).items():
        torch.export.save(program, folder / f"{name}.pt2")
    print(*generate(model, [int(token) for token in tokens.split(",")], count), sep=",")


if __name__ == "__main__":
    main()
