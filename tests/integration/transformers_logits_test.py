# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""Forward passes with a SluiceCache: logits as with the library's own cache, and refusals."""

# ruff: noqa: E402

from collections.abc import Iterator

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
pytest.importorskip("transformers", reason="transformers is not installed")

import sluice
import transformers
from example.daemon import Daemon
from example.prompts import text_prompt
from sluice.transformers import SluiceCache
from transformers_models import (
    FAMILIES,
    WINDOW,
    Pair,
    difference,
    left_padded,
    random_pair,
    random_tokens,
    trained_model,
)

BOUND = 1e-4  # fp32


@pytest.fixture(autouse=True)
def no_gradients() -> Iterator[None]:
    with torch.no_grad():
        yield


@pytest.fixture(params=FAMILIES)
def pair(request: pytest.FixtureRequest) -> Pair:
    return random_pair(request.param)


@pytest.fixture
def llama() -> Pair:
    return random_pair("llama")


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("tokens", [1, 33, 700])
def test_logits_of_the_trained_model(daemon: Daemon, attention: str, tokens: int) -> None:
    token_ids = torch.tensor([text_prompt(tokens)])
    expected = trained_model(attn_implementation=attention)(token_ids).logits
    model = trained_model()
    found = model(token_ids, past_key_values=SluiceCache(model, daemon.address)).logits
    assert difference(found, expected) < BOUND


def test_logits_of_every_family_whole_and_in_chunks(daemon: Daemon, pair: Pair) -> None:
    token_ids = random_tokens(2, 5 * WINDOW)
    expected = pair.library(token_ids).logits
    for chunk in (5 * WINDOW, 7, 1):
        cache = SluiceCache(pair.daemon, daemon.address)
        found = [
            pair.daemon(part, past_key_values=cache).logits for part in token_ids.split(chunk, 1)
        ]
        assert difference(torch.cat(found, 1), expected) < BOUND
        assert cache.get_seq_length() == 5 * WINDOW


def test_a_window_takes_effect(daemon: Daemon) -> None:
    windowed, whole = (random_pair(name) for name in ("mistral", "mistral_without_window"))
    token_ids = random_tokens(1, 5 * WINDOW)
    expected = whole.library(token_ids).logits
    found = windowed.daemon(
        token_ids, past_key_values=SluiceCache(windowed.daemon, daemon.address)
    ).logits
    assert difference(found[:, :WINDOW], expected[:, :WINDOW]) < BOUND
    assert difference(found[:, WINDOW:], expected[:, WINDOW:]) > 0.1


def test_padding_never_reaches_the_daemon(daemon: Daemon, pair: Pair) -> None:
    inputs = left_padded([23, 40, 1])
    real = inputs["attention_mask"].bool()
    positions = (real.cumsum(1) - 1).clamp(min=0)
    expected = pair.library(**inputs, position_ids=positions).logits
    cache = SluiceCache(pair.daemon, daemon.address)
    found = pair.daemon(**inputs, position_ids=positions, past_key_values=cache).logits
    assert difference(found[real], expected[real]) < BOUND
    assert [sequence.get().length for sequence in cache.sequences] == [23, 40, 1]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision(daemon: Daemon, dtype: "torch.dtype") -> None:
    exact = random_pair("qwen3", dtype=torch.float32).library
    pair = random_pair("qwen3", dtype=dtype)
    token_ids = random_tokens(1, 40)
    expected = exact(token_ids).logits
    cache = SluiceCache(pair.daemon, daemon.address)
    found = pair.daemon(token_ids, past_key_values=cache).logits
    assert found.dtype == dtype
    own_error = difference(pair.library(token_ids).logits, expected)
    assert difference(found, expected) < 2 * own_error


def test_the_model_stays_usable_without_the_daemon(daemon: Daemon, pair: Pair) -> None:
    SluiceCache(pair.daemon, daemon.address).close()
    inputs = left_padded([12, 30])
    real = inputs["attention_mask"].bool()
    for options in ({"use_cache": False}, {}):
        found = pair.daemon(**inputs, **options).logits
        expected = pair.library(**inputs, **options).logits
        assert torch.equal(found[real], expected[real])
    outputs = pair.daemon(random_tokens(1, 20))
    assert isinstance(outputs.past_key_values, transformers.DynamicCache)
    found = pair.daemon(random_tokens(1, 3), past_key_values=outputs.past_key_values).logits
    past = pair.library(random_tokens(1, 20)).past_key_values
    assert torch.equal(found, pair.library(random_tokens(1, 3), past_key_values=past).logits)


def test_a_pass_that_failed_is_undone(daemon: Daemon, llama: Pair) -> None:
    token_ids = random_tokens(2, 30)
    cache = SluiceCache(llama.daemon, daemon.address)
    llama.daemon(token_ids[:, :10], past_key_values=cache)

    def fail(*_: object) -> None:
        raise RuntimeError("in the middle")

    hook = llama.daemon.model.layers[1].mlp.register_forward_pre_hook(fail)
    with pytest.raises(RuntimeError, match="in the middle"):
        llama.daemon(token_ids[:, 10:], past_key_values=cache)
    hook.remove()
    found = llama.daemon(token_ids[:, 10:], past_key_values=cache).logits
    assert difference(found, llama.library(token_ids).logits[:, 10:]) < BOUND


def test_evicted_tokens_are_not_attended(daemon: Daemon, llama: Pair) -> None:
    token_ids = random_tokens(1, 60)
    policy = sluice.Policy("sink_window", sink_tokens=4, recent_tokens=16)
    cache = SluiceCache(llama.daemon, daemon.address, policy)
    llama.daemon(token_ids[:, :59], past_key_values=cache)
    found = llama.daemon(token_ids[:, 59:], past_key_values=cache).logits
    kept = cache.sequences[0].explain(1, 0).kept_positions
    assert kept == (0, 1, 2, 3, *range(60 - 17, 60))
    past = llama.library(token_ids[:, :59]).past_key_values
    mask = torch.zeros(1, 1, 1, 60, dtype=torch.bool)
    mask[..., list(kept)] = True
    options = {"past_key_values": past, "position_ids": torch.tensor([[59]])}
    expected = llama.library(token_ids[:, 59:], attention_mask=mask, **options).logits
    assert difference(found, expected) < BOUND
    whole = llama.library(token_ids).logits[:, 59:]
    assert difference(found, whole) > 0.1


def test_refusals_of_what_no_cache_can_do(daemon: Daemon, llama: Pair) -> None:
    cache = SluiceCache(llama.daemon, daemon.address)
    token_ids = random_tokens(1, 5)
    model, inputs = llama.daemon, {"input_ids": token_ids, "past_key_values": cache}
    with pytest.raises(ValueError, match="output_attentions"):
        model(**inputs, output_attentions=True)
    with pytest.raises(ValueError, match="use_cache"):
        model(**inputs, use_cache=False)
    with pytest.raises(ValueError, match=r"attention_mask: of shape \[1, 1, 5, 5\]"):
        model(**inputs, attention_mask=torch.ones(1, 1, 5, 5, dtype=torch.bool))
    with pytest.raises(ValueError, match="gradients"), torch.enable_grad():
        model(**inputs)
    model.model.gradient_checkpointing = True  # as the library's switch of several names does
    with pytest.raises(ValueError, match="gradient checkpointing"):
        model.train()(**inputs)
    model.model.gradient_checkpointing = False
    with pytest.raises(ValueError, match="cache_implementation"):
        model.eval().generate(**inputs, cache_implementation="static")
    assert cache.get_seq_length() == 0
    found = model(**inputs).logits
    assert difference(found, llama.library(token_ids).logits) < BOUND


def test_refusals_of_masks_and_batches(daemon: Daemon, llama: Pair) -> None:
    cache = SluiceCache(llama.daemon, daemon.address)
    inputs = left_padded([3, 5])
    llama.daemon(**inputs, past_key_values=cache)
    token_ids, ones = random_tokens(2, 2), torch.ones(2, 7, dtype=torch.long)
    for mask, message in (
        (None, "None; the rows have padding"),
        (ones, "row 0 differs"),
        (ones[:, :6], r"of shape \[2, 6\]"),
    ):
        with pytest.raises(ValueError, match=f"attention_mask: {message}"):
            llama.daemon(token_ids, attention_mask=mask, past_key_values=cache)
    with pytest.raises(ValueError, match="3 rows; the cache has 2"):
        llama.daemon(random_tokens(3, 2), past_key_values=cache)
    assert [sequence.get().length for sequence in cache.sequences] == [3, 5]


def test_refusals_of_models_and_policies(daemon: Daemon, llama: Pair) -> None:
    other = transformers.GPT2LMHeadModel(transformers.GPT2Config(n_embd=32, n_layer=1, n_head=2))
    with pytest.raises(ValueError, match="'gpt2'"):
        SluiceCache(other, daemon.address)
    with pytest.raises(ValueError, match="float64"):
        SluiceCache(random_pair("llama", dtype=torch.float64).daemon, daemon.address)
    with pytest.raises(sluice.InvalidArgument, match="no_such_policy"):
        SluiceCache(llama.daemon, daemon.address, "no_such_policy")
    cache = SluiceCache(llama.daemon, daemon.address)
    llama.daemon.set_attn_implementation("eager")
    with pytest.raises(ValueError, match="its attention is not"):
        llama.daemon(random_tokens(1, 5), past_key_values=cache)


def test_a_full_pool_refuses_a_pass_as_a_whole() -> None:
    model = trained_model()
    with Daemon(flags=[f"--pool_bytes={16 << 20}"]) as daemon:
        cache = SluiceCache(model, daemon.address, max_wait_s=0)
        token_ids = torch.tensor([text_prompt(1)]).expand(2, 1500)
        mask = torch.ones(2, 1500, dtype=torch.long)
        mask[1, 0] = 0  # unequal rows, so that none is shared
        with pytest.raises(sluice.ResourceExhausted):
            model(token_ids, attention_mask=mask, past_key_values=cache)
        assert cache.get_seq_length() == 0
        found = model(token_ids[:, :300], past_key_values=cache).logits
        assert difference(found, trained_model()(token_ids[:, :300]).logits) < BOUND


def test_a_dropped_cache_frees_its_sequences(daemon: Daemon, llama: Pair) -> None:
    with sluice.Client(daemon.address) as client:
        cache = SluiceCache(llama.daemon, client)
        llama.daemon(random_tokens(1, 5), past_key_values=cache)
        (sequence,) = cache.sequences
        del cache
        with pytest.raises(sluice.NotFound):
            sequence.get()


def test_a_closed_cache_has_freed_its_sequences(daemon: Daemon, llama: Pair) -> None:
    with sluice.Client(daemon.address) as client:
        with SluiceCache(llama.daemon, client) as cache:
            llama.daemon(random_tokens(2, 5), past_key_values=cache)
            held = cache.sequences
        for sequence in held:
            with pytest.raises(sluice.NotFound):
                sequence.get()
        with pytest.raises(sluice.FailedPrecondition, match="closed"):
            llama.daemon(random_tokens(2, 5), past_key_values=cache)
