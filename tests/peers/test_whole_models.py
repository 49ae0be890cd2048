"""Models whose core is of complex numbers or a loop: GFNet, a beam search by while_loop, and sequences of several lengths by scan."""

import pytest
import torch
from torch import nn
from torch._higher_order_ops import scan, while_loop
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import whole_models


class GlobalFilter(nn.Module):
    """Multiplies the spectrum of a picture of tokens, as GFNet (Rao et al., 2021) does."""

    def __init__(self, dim, size):
        super().__init__()
        self.size = size
        self.weight = nn.Parameter(torch.randn(size, size // 2 + 1, dim, 2))

    def forward(self, x):
        batch, tokens, dim = x.shape
        x = x.view(batch, self.size, self.size, dim)
        x = torch.fft.rfft2(x, dim=(1, 2), norm="ortho") * torch.view_as_complex(self.weight)
        return torch.fft.irfft2(x, s=(self.size, self.size), dim=(1, 2), norm="ortho").reshape(batch, tokens, dim)


class GfnetBlock(nn.Module):
    def __init__(self, dim, size):
        super().__init__()
        self.filter = nn.Sequential(nn.LayerNorm(dim), GlobalFilter(dim, size), nn.LayerNorm(dim))
        self.mlp = nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim))

    def forward(self, x):
        return x + self.mlp(self.filter(x))


class Gfnet(nn.Module):
    def __init__(self, dim=16, size=8, patch=4):
        super().__init__()
        self.embed = nn.Conv2d(3, dim, patch, patch)
        self.position = nn.Parameter(torch.randn(1, size * size, dim))
        self.blocks = nn.Sequential(GfnetBlock(dim, size), GfnetBlock(dim, size), nn.LayerNorm(dim))
        self.head = nn.Linear(dim, 10)

    def forward(self, x):
        x = self.embed(x).flatten(2).transpose(1, 2) + self.position
        return self.head(self.blocks(x).mean(1))


def test_gfnet(tmp_path):
    torch.manual_seed(0)
    runs = [(torch.randn(n, 3, 32, 32),) for n in (2, 1, 4)]
    whole_models.check(tmp_path, Gfnet().eval(), *runs, dynamic=({0: torch.export.Dim("batch", max=4)},))


class BeamSearch(nn.Module):
    """The best sentences of a recurrent network, until the longest or until all have ended."""

    def __init__(self, beams=3, length=6, words=17, dim=16, end=2):
        super().__init__()
        self.beams, self.length, self.words, self.end = beams, length, words, end
        self.embed, self.cell, self.out = nn.Embedding(words, dim), nn.GRUCell(dim, dim), nn.Linear(dim, words)

    def forward(self, state, ending):
        ended = torch.where(torch.arange(self.words) == self.end, 0.0, float("-inf"))
        liked = torch.where(torch.arange(self.words) == self.end, ending, 0.0)

        def goes_on(step, sentences, scores, state, last, done):
            return (step < self.length) & ~done.all()

        def extend(step, sentences, scores, state, last, done):
            state = self.cell(self.embed(last), state)
            words = torch.log_softmax(self.out(state) + liked, -1)
            words = torch.where(done[:, None], ended, words)
            scores, place = (scores[:, None] + words).flatten().topk(self.beams)
            beam, last = place // self.words, place % self.words
            sentences = torch.where(torch.arange(self.length) == step, last[:, None], sentences[beam])
            return step + 1, sentences, scores, state[beam], last, done[beam] | (last == self.end)

        start = (
            torch.tensor(0),
            torch.full((self.beams, self.length), self.end),
            torch.where(torch.arange(self.beams) == 0, 0.0, -1e9),  # all beams begin as the first one
            state.expand(self.beams, -1).clone(),
            torch.ones(self.beams, dtype=torch.int64),
            torch.zeros(self.beams, dtype=torch.bool),
        )
        return while_loop(goes_on, extend, start)[:3]


def test_beam_search(tmp_path):
    torch.manual_seed(0)
    model = whole_models.enliven(BeamSearch())
    state = torch.randn(1, 16)
    runs = [(state, torch.tensor(bonus)) for bonus in (-9.0, -2.0, 0.0)]
    # The longest sentences, and some that end before.
    assert [int(model(*inputs)[0]) for inputs in runs][::2] == [6, 2]
    whole_models.check(tmp_path, model, *runs)


class Packed(nn.Module):
    """An LSTM over sequences of several lengths, as PyTorch has it."""

    def __init__(self, dim=4, width=5):
        super().__init__()
        self.lstm = nn.LSTM(dim, width)

    def forward(self, x, lengths):
        packed, state = self.lstm(pack_padded_sequence(x, lengths, enforce_sorted=False))
        return pad_packed_sequence(packed, total_length=x.shape[0])[0], *state


class Scanned(nn.Module):
    """The same for torch.export: a sequence that has ended keeps its state."""

    def __init__(self, packed):
        super().__init__()
        weights = packed.lstm.state_dict().items()
        self.cell = nn.LSTMCell(packed.lstm.input_size, packed.lstm.hidden_size)
        self.cell.load_state_dict({name.removesuffix("_l0"): weight for name, weight in weights})

    def forward(self, x, lengths):
        def step(state, element):
            x, goes_on = element
            h, c = (torch.where(goes_on, new, old) for new, old in zip(self.cell(x, state), state))
            return (h, c), torch.where(goes_on, h, 0.0)

        start = x.new_zeros(x.shape[1], self.cell.hidden_size)
        goes_on = torch.arange(x.shape[0])[:, None, None] < lengths[:, None]
        (h, c), outputs = scan(step, (start, start.clone()), (x, goes_on))
        return outputs, h[None], c[None]


def lengths_of_sequences(steps):
    return torch.randn(steps, 3, 4), torch.tensor([steps // 2, steps, 1])


def test_sequences_of_several_lengths(tmp_path):
    torch.manual_seed(0)
    packed = Packed().eval()
    model = Scanned(packed).eval()
    runs = [lengths_of_sequences(steps) for steps in (7, 2, 30)]
    for inputs in runs:
        whole_models.compare([output.detach() for output in model(*inputs)], [output.detach() for output in packed(*inputs)])
    whole_models.check(tmp_path, model, *runs, dynamic=({0: torch.export.Dim("steps", min=2, max=30)}, None))


@pytest.mark.parametrize("strict", (False, True))
def test_packed_sequences_are_not_exported(strict):
    """As docs/operators.md says. Where this fails, `aten.lstm.data` and its kin have come within reach."""
    with pytest.raises(Exception, match="zeros|skipped"):
        torch.export.export(Packed(), lengths_of_sequences(7), strict=strict)
