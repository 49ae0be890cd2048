"""Writes the archive of this folder and decoder.json, what PyTorch generates with it: python make_decoder.py (torch 2.14.0)."""

import json
import pathlib

import torch
from torch import nn

FOLDER = pathlib.Path(__file__).parent
WORDS, WIDTH, HEADS, LENGTH = 64, 32, 4, 64


class Decoder(nn.Module):
    """One layer of attention with random weights. Its state are keys, values and a sum of tokens, whose first value matters, too."""

    def __init__(self):
        super().__init__()
        self.words, self.positions = nn.Embedding(WORDS, WIDTH), nn.Embedding(LENGTH, WIDTH)
        self.project, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WORDS)
        for name in ("keys", "values"):
            self.register_buffer(name, torch.zeros(1, HEADS, LENGTH, WIDTH // HEADS))
        self.register_buffer("sum", torch.zeros(1, WIDTH))

    def forward(self, token, position):
        x = self.words(token) + self.positions(position)
        query, key, value = (part.view(1, HEADS, 1, WIDTH // HEADS) for part in self.project(x).split(WIDTH, dim=-1))
        self.keys.index_copy_(2, position, key)
        self.values.index_copy_(2, position, value)
        mask = (torch.arange(LENGTH) <= position)[None]
        y = nn.functional.scaled_dot_product_attention(query, self.keys, self.values, attn_mask=mask)
        self.sum.mul_(0.9).add_(x)
        return self.out(torch.tanh(y.reshape(1, WIDTH) * 4 + self.sum))


def generate(model, prompt, count):
    for buffer in model.buffers():
        buffer.zero_()
    tokens = list(prompt)
    for position in range(len(prompt) + count - 1):
        logits = model(torch.tensor([tokens[position]]), torch.tensor([position]))
        if position >= len(prompt) - 1:
            tokens.append(int(logits.argmax()))
    return tokens[len(prompt) :]


torch.manual_seed(5)
model = Decoder().eval()
program = torch.export.export(model, (torch.tensor([1]), torch.tensor([0])))
for node in program.graph.nodes:
    node.meta.pop("stack_trace", None)
torch.export.save(program, FOLDER / "decoder.pt2")
prompts = torch.randint(0, WORDS, (8, 5)).tolist()
with torch.no_grad():
    cases = [{"prompt": prompt, "tokens": generate(model, prompt, 24)} for prompt in prompts]
(FOLDER / "decoder.json").write_text("[\n" + ",\n".join(map(json.dumps, cases)) + "\n]\n")
