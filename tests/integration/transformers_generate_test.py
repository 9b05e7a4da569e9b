# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""`generate` with a SluiceCache gives what it gives with the library's own cache."""

# ruff: noqa: E402

from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
pytest.importorskip("transformers", reason="transformers is not installed")

import copy

import sluice
import transformers
from example.daemon import Daemon
from example.prompts import text_prompt
from sluice.transformers import SluiceCache
from transformers_models import (
    Pair,
    difference,
    left_padded,
    random_pair,
    random_tokens,
    trained_model,
)

NEW_TOKENS = 24


class CountingCache(SluiceCache):
    """Counts what an assistant proposed in vain, and its passes."""

    refused_tokens = 0
    passes = 0

    def crop(self, tokens_to_remove: int) -> None:
        before = self.get_seq_length()
        super().crop(tokens_to_remove)
        self.refused_tokens += before - self.get_seq_length()
        self.passes += 1


@pytest.fixture(params=["llama", "qwen2_windows", "qwen3", "mistral"])
def pair(request: pytest.FixtureRequest) -> Pair:
    return random_pair(request.param)


@pytest.fixture
def llama() -> Pair:
    return random_pair("llama")


@pytest.fixture(scope="module")
def trained() -> Pair:
    return Pair(trained_model(), trained_model(attn_implementation="sdpa"))


def texts(
    pair: Pair, cache: SluiceCache, inputs: dict[str, Any], **options: Any
) -> tuple["torch.Tensor", "torch.Tensor"]:
    """The same generation with the cache and with the library's own, from one seed."""
    options = {"do_sample": False, "max_new_tokens": NEW_TOKENS, **options}
    torch.manual_seed(11)
    found = pair.daemon.generate(**inputs, past_key_values=cache, **options)
    torch.manual_seed(11)
    return found, pair.library.generate(**inputs, **options)


def held(cache: SluiceCache) -> set[int]:
    return {sequence.id for sequence in cache.sequences if sequence is not None}


def test_greedy_text_of_the_trained_model_over_512_tokens(daemon: Daemon, trained: Pair) -> None:
    prompt = {"input_ids": torch.tensor([text_prompt(40)])}
    cache = SluiceCache(trained.daemon, daemon.address)
    found, expected = texts(trained, cache, prompt, max_new_tokens=512)
    assert found.shape == (1, 552)
    assert torch.equal(found, expected)
    # The last token was chosen, not read.
    assert cache.sequences[0].get().length == cache.get_seq_length() == 551


def test_greedy_text_of_every_family(daemon: Daemon, pair: Pair) -> None:
    cache = SluiceCache(pair.daemon, daemon.address)
    found, expected = texts(pair, cache, {"input_ids": random_tokens(1, 30)})
    assert torch.equal(found, expected)


def test_prefill_in_chunks(daemon: Daemon, llama: Pair) -> None:
    inputs = left_padded([9, 31])
    cache = SluiceCache(llama.daemon, daemon.address)
    found, _ = texts(llama, cache, inputs, prefill_chunk_size=8)
    _, expected = texts(llama, SluiceCache(llama.daemon, daemon.address), inputs)
    assert torch.equal(found, expected)


def test_sampling(daemon: Daemon, llama: Pair) -> None:
    cache = SluiceCache(llama.daemon, daemon.address)
    inputs = {"input_ids": random_tokens(2, 20)}
    options = {"do_sample": True, "temperature": 2.0, "top_k": 20, "num_return_sequences": 3}
    found, expected = texts(llama, cache, inputs, **options)
    assert torch.equal(found, expected)
    assert len({tuple(row) for row in found.tolist()}) == 6
    assert len(held(cache)) == 6


@pytest.mark.parametrize("sampled", [False, True])
def test_beams(daemon: Daemon, pair: Pair, sampled: bool) -> None:
    cache = SluiceCache(pair.daemon, daemon.address)
    inputs = left_padded([7, 20])
    options = {"num_beams": 4, "num_return_sequences": 2, "do_sample": sampled}
    found, expected = texts(pair, cache, inputs, **options)
    assert torch.equal(found, expected)


def test_beams_share_their_prompt(daemon: Daemon, llama: Pair) -> None:
    inputs = {"input_ids": random_tokens(2, 96)}
    with sluice.Client(daemon.address) as client:
        cache = SluiceCache(llama.daemon, client)
        texts(llama, cache, inputs, num_beams=3, max_new_tokens=1)
        assert cache.get_seq_length() == 96
        assert len(cache.sequences) == 6
        assert len(held(cache)) == 2  # read once a prompt
        texts(llama, cache := SluiceCache(llama.daemon, client), inputs, num_beams=3)
        for sequence in {one.id: one for one in cache.sequences}.values():
            info = sequence.get()
            assert info.length == 96 + NEW_TOKENS - 1
            assert info.bytes_alone < info.held_bytes / 2


def test_an_assistant_model(daemon: Daemon, trained: Pair) -> None:
    assistant = trained_model(num_hidden_layers=2)
    cache = CountingCache(trained.daemon, daemon.address)
    prompt = {"input_ids": torch.tensor([text_prompt(100)])}
    found, expected = texts(trained, cache, prompt, assistant_model=assistant, max_new_tokens=48)
    assert torch.equal(found, expected)
    assert 0 < cache.passes < 48
    assert cache.refused_tokens > 0
    assert cache.get_seq_length() == 147
    with torch.no_grad():
        trained.daemon(found[:, 147:], past_key_values=cache)
    assert cache.sequences[0].get().length == 148


def test_a_policy_evicts_while_tokens_are_proposed(daemon: Daemon, trained: Pair) -> None:
    policy = sluice.Policy("sink_window", sink_tokens=4, recent_tokens=64)
    prompt = {"input_ids": torch.tensor([text_prompt(200)])}
    plain = SluiceCache(trained.daemon, daemon.address, policy, draft_tokens=8)
    expected, _ = texts(trained, plain, prompt, max_new_tokens=12)
    cache = SluiceCache(trained.daemon, daemon.address, policy, draft_tokens=8)
    found, _ = texts(trained, cache, prompt, prompt_lookup_num_tokens=8, max_new_tokens=12)
    assert torch.equal(found[:, :201], expected[:, :201])
    for one in (plain, cache):
        assert max(one.sequences[0].get().layers[0].kept_tokens) < 150


def test_batches_of_unequal_length(daemon: Daemon, pair: Pair) -> None:
    cache = SluiceCache(pair.daemon, daemon.address)
    found, expected = texts(pair, cache, left_padded([3, 26, 14]))
    assert torch.equal(found, expected)
    lengths = [length + NEW_TOKENS - 1 for length in (3, 26, 14)]
    assert [sequence.get().length for sequence in cache.sequences] == lengths


def test_several_turns(daemon: Daemon, pair: Pair) -> None:
    ours = SluiceCache(pair.daemon, daemon.address)
    theirs = transformers.DynamicCache(config=pair.library.config)
    found = expected = random_tokens(1, 12)
    for turn in range(3):
        question = random_tokens(1, 9, seed=turn)
        options = {"do_sample": False, "max_new_tokens": NEW_TOKENS}
        found = pair.daemon.generate(
            torch.cat([found, question], 1), past_key_values=ours, **options
        )
        expected = pair.library.generate(
            torch.cat([expected, question], 1), past_key_values=theirs, **options
        )
        assert torch.equal(found, expected)
    assert held(ours) == {ours.sequences[0].id}
    assert ours.sequences[0].get().length == found.shape[1] - 1


def test_a_turn_that_masks_the_ends_of_the_last_one(daemon: Daemon, llama: Pair) -> None:
    first = left_padded([5, 11])
    cache = SluiceCache(llama.daemon, daemon.address)
    found, _ = texts(llama, cache, first)
    mask = torch.cat([first["attention_mask"], torch.ones(2, NEW_TOKENS, dtype=torch.long)], 1)
    mask[0, 11 + 6 :] = 0  # the first row is held to have ended after 6 tokens
    mask = torch.cat([mask, torch.ones(2, 4, dtype=torch.long)], 1)
    token_ids = torch.cat([found, random_tokens(2, 4)], 1)
    inputs = {"input_ids": token_ids, "attention_mask": mask}
    options = {"do_sample": False, "max_new_tokens": NEW_TOKENS}
    found = llama.daemon.generate(**inputs, past_key_values=cache, **options)
    assert torch.equal(found, llama.library.generate(**inputs, **options))
    assert cache.sequences[0].get().length == 5 + 6 + 4 + NEW_TOKENS - 1


def test_rows_that_ended_go_on_with_padding(daemon: Daemon, llama: Pair) -> None:
    inputs = left_padded([5, 11])
    cache = SluiceCache(llama.daemon, daemon.address)
    open_ended, _ = texts(llama, cache, inputs)
    end = int(open_ended[0, 11 + 3])
    cache.reset()
    assert cache.get_seq_length() == 0
    found, expected = texts(llama, cache, inputs, eos_token_id=end)
    assert torch.equal(found, expected)
    assert found[0, 11 + 4] == llama.daemon.config.pad_token_id


def test_a_copied_cache_goes_its_own_way(daemon: Daemon, llama: Pair) -> None:
    prefix = random_tokens(1, 40)
    cache = SluiceCache(llama.daemon, daemon.address)
    with torch.no_grad():
        llama.daemon(prefix, past_key_values=cache)
    for seed in range(2):
        own = copy.deepcopy(cache)
        token_ids = torch.cat([prefix, random_tokens(1, 5, seed)], 1)
        found, expected = texts(llama, own, {"input_ids": token_ids})
        assert torch.equal(found, expected)
        assert not held(own) & held(cache)
    assert cache.get_seq_length() == cache.sequences[0].get().length == 40


def test_rows_are_repeated_selected_and_cropped(daemon: Daemon, llama: Pair) -> None:
    token_ids = random_tokens(3, 20)
    cache = SluiceCache(llama.daemon, daemon.address)
    with torch.no_grad():
        llama.daemon(token_ids, past_key_values=cache)
        cache.batch_select_indices(torch.tensor([2, 0]))
        cache.batch_repeat_interleave(2)
        cache.crop(-5)
        cache.reorder_cache(torch.tensor([3, 3, 1, 0]))
        assert cache.get_seq_length() == 15
        rows = token_ids[[0, 0, 2, 2], :15]
        more = random_tokens(4, 6, seed=3)
        found = llama.daemon(more, past_key_values=cache).logits
        expected = llama.library(torch.cat([rows, more], 1)).logits[:, 15:]
    assert difference(found, expected) < 1e-4
    assert len(held(cache)) == 4
    assert [sequence.get().length for sequence in cache.sequences] == [21] * 4


# Each with parameters that keep at most 104 of 400 tokens in every head cache.
POLICIES: dict[str, dict[str, Any]] = {
    "sink_window": {"sink_tokens": 4, "recent_tokens": 100},
    "l2norm": {"ratio": sluice.Ratio(0.25), "prune_after_tokens": 0, "skip_layers": ()},
    "snapkv": {"budget_tokens": 100},
    "pyramidkv": {"budget_tokens": 50},
    "adakv": {"budget_tokens": 52, "alpha": 1.0},
    "dynamickv": {"budget_tokens": 56, "r_max": 2.0},
    "h2o": {"heavy_tokens": 50, "recent_tokens": 50},
    "tova": {"budget_tokens": 100},
    "cascade": {"sink_tokens": 4, "cascade_tokens": 100, "stride_tokens": 64},
    "streaming_llm": {"sink_tokens": 4, "recent_tokens": 100},
}


@pytest.mark.parametrize("preset", POLICIES)
def test_policies_by_name_and_with_parameters(daemon: Daemon, trained: Pair, preset: str) -> None:
    cache = SluiceCache(trained.daemon, daemon.address, preset)
    assert cache.policy.policy.preset == preset
    policy = sluice.Policy(preset, **POLICIES[preset])
    cache = SluiceCache(trained.daemon, daemon.address, policy)
    found, _ = texts(trained, cache, {"input_ids": torch.tensor([text_prompt(400)])})
    info = cache.sequences[0].get()
    assert info.length == 400 + NEW_TOKENS - 1
    assert max(max(layer.kept_tokens) for layer in info.layers) <= 104 + NEW_TOKENS
    assert found.shape[1] == 400 + NEW_TOKENS
