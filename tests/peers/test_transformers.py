"""Small configurations of models of transformers, with random weights."""

import pytest
import torch
import transformers
from torch import nn
from torch.export import Dim

import whole_models

WORDS = 64
BATCH, LENGTH = Dim("batch", max=4), Dim("length", min=2, max=32)
TOKENS = dict(vocab_size=WORDS, bos_token_id=1, eos_token_id=2, pad_token_id=0)
DECODER = dict(TOKENS, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, head_dim=8, max_position_embeddings=64)


def tokens(batch, length):
    return torch.randint(0, WORDS, (batch, length))


class Call(nn.Module):
    """Calls a model through a function that chooses what goes in and what comes out."""

    def __init__(self, model, function):
        super().__init__()
        self.model = model
        self.function = function

    def forward(self, *inputs):
        return self.function(self.model, *inputs)


def gpt2():
    return transformers.GPT2LMHeadModel(transformers.GPT2Config(**TOKENS, n_positions=32, n_embd=16, n_layer=2, n_head=2))


def qwen3():
    return transformers.Qwen3ForCausalLM(transformers.Qwen3Config(**DECODER))


def qwen3_moe():
    return transformers.Qwen3MoeForCausalLM(transformers.Qwen3MoeConfig(**dict(DECODER, num_hidden_layers=1), moe_intermediate_size=16, num_experts=4, num_experts_per_tok=2))


def mixtral():
    return transformers.MixtralForCausalLM(transformers.MixtralConfig(**dict(DECODER, num_hidden_layers=1), num_local_experts=4))


def llama4():
    """Its rotary embedding is of complex numbers."""
    sizes = dict(DECODER, intermediate_size_mlp=32, num_local_experts=2, attention_chunk_size=16)
    return transformers.Llama4ForCausalLM(transformers.Llama4TextConfig(**sizes))


def t5():
    return transformers.T5ForConditionalGeneration(transformers.T5Config(vocab_size=WORDS, d_model=16, d_kv=8, d_ff=32, num_layers=2, num_heads=2))


def whisper():
    layers = dict(encoder_layers=2, decoder_layers=2, encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32)
    return transformers.WhisperForConditionalGeneration(
        transformers.WhisperConfig(**TOKENS, **layers, d_model=16, max_source_positions=12, max_target_positions=16, num_mel_bins=8, decoder_start_token_id=1)
    )


def make(factory, function):
    torch.manual_seed(0)
    return Call(whole_models.enliven(factory()), function)


def next_words(model, ids, mask=None):
    return model(input_ids=ids, attention_mask=mask, use_cache=False).logits


# PyTorch 2.14 does not decompose gpt2 with a batch that varies.
@pytest.mark.parametrize(("factory", "one_engine", "batch"), [(gpt2, True, None), (qwen3, True, BATCH), (qwen3_moe, False, BATCH), (mixtral, False, BATCH), (llama4, False, BATCH)])
def test_decoder_without_mask(tmp_path, factory, one_engine, batch):
    model = make(factory, next_words)
    runs = [(tokens(1 if batch is None else n, length),) for n, length in ((2, 7), (1, 2), (4, 32))]
    whole_models.check(tmp_path, model, *runs, dynamic=(({0: batch, 1: LENGTH},),), one_engine=one_engine)


def test_decoder_with_mask(tmp_path):
    sizes = {0: BATCH, 1: LENGTH}
    mask = torch.ones(2, 7, dtype=torch.int64)
    mask[0, :3] = 0
    runs = (tokens(2, 7), mask), (tokens(1, 12), torch.ones(1, 12, dtype=torch.int64))
    whole_models.check(tmp_path, make(qwen3, next_words), *runs, dynamic=((sizes, sizes),), one_engine=True)


def test_encoder_and_decoder(tmp_path):
    model = make(t5, lambda model, ids, decoded: model(input_ids=ids, decoder_input_ids=decoded, use_cache=False).logits)
    dynamic = (({1: Dim("length", min=2, max=32)}, {1: Dim("decoded", min=2, max=32)}),)
    whole_models.check(tmp_path, model, *((tokens(1, n), tokens(1, m)) for n, m in ((9, 5), (32, 32))), dynamic=dynamic, one_engine=True)


def test_audio_encoder(tmp_path):
    model = make(whisper, lambda model, x: model.model.encoder(x).last_hidden_state)
    whole_models.check(tmp_path, model, (torch.randn(1, 8, 24),), one_engine=True)


class WithCache(Call):
    """With a static cache whose tensors are buffers, as transformers' own recipe for ExecuTorch has it."""

    def __init__(self, model, function, heads, head_dim):
        super().__init__(model, function)
        self.cache = transformers.StaticCache(config=model.config, max_cache_len=16)
        self.cache.early_initialization(1, heads, head_dim, torch.float32, torch.device("cpu"))
        for i, layer in enumerate(self.cache.layers):
            for name in ("keys", "values", "cumulative_length"):
                self.register_buffer(f"{name}_{i}", getattr(layer, name), persistent=False)

    def forward(self, *inputs):
        return self.function(self.model, self.cache, *inputs)


def test_decoder_with_cache(tmp_path):
    def step(model, cache, token, position):
        return model(input_ids=token, position_ids=position, past_key_values=cache, use_cache=True).logits

    torch.manual_seed(0)
    model = WithCache(whole_models.enliven(qwen3()), step, 2, 8)
    whole_models.check_steps(tmp_path, model, [(tokens(1, 1), torch.tensor([[i]])) for i in range(4)])


def test_audio_decoder_with_cache(tmp_path):
    def step(model, cache, token, encoded, position):
        caches = transformers.EncoderDecoderCache(cache, transformers.DynamicCache())
        decoder = model.model.decoder
        decoded = decoder(input_ids=token, encoder_hidden_states=encoded, past_key_values=caches, position_ids=position, use_cache=True)
        return model.proj_out(decoded.last_hidden_state)

    torch.manual_seed(0)
    model = WithCache(whole_models.enliven(whisper()), step, 2, 8)
    encoded = torch.randn(1, 12, 16)
    whole_models.check_steps(tmp_path, model, [(tokens(1, 1), encoded, torch.tensor([[i]])) for i in range(4)])


def test_speech_of_a_length_that_is_data(tmp_path):
    """VITS, without the noise that it draws. Sizes of its core dialect are piecewise."""
    flows = dict(duration_predictor_num_flows=2, prior_encoder_num_flows=2, posterior_encoder_num_wavenet_layers=2, prior_encoder_num_wavenet_layers=2, wavenet_kernel_size=3)
    vocoder = dict(upsample_initial_channel=32, upsample_rates=[4, 4], upsample_kernel_sizes=[8, 8], resblock_kernel_sizes=[3, 5], resblock_dilation_sizes=[[1, 3], [1, 3]])
    config = transformers.VitsConfig(
        **flows, **vocoder, vocab_size=WORDS, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, ffn_dim=32, flow_size=16, spectrogram_bins=33,
        duration_predictor_filter_channels=16, depth_separable_num_layers=2, noise_scale=0.0, noise_scale_duration=0.0,
    )  # fmt: skip
    torch.manual_seed(0)
    model = Call(transformers.VitsModel(config).eval(), lambda model, ids: model(input_ids=ids).waveform)
    runs = [(tokens(1, 9),) for _ in range(3)]
    whole_models.check(tmp_path, model, *runs, options=("--bound", "u4=256"))
