# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""The presets that keep a cascade, over the wire, against numpy."""

import dataclasses
import functools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import oracle
import pytest
import sluice
from cascade_model import CascadeModel, Doubles, Rule, rotate
from oracle import Array

LAYERS, QUERY_HEADS, KV_HEADS, HEAD_DIM = 2, 8, 2, 32
PROMPT, DECODED = 150, 30
OTHER = 15  # decoded tokens of another continuation
SEED = 20261122
TOLERANCE = 1e-4
MARGIN = 1e-4  # of a score: two that are closer might change places
INV_FREQ = (10000.0 ** -np.arange(0, 1, 2 / HEAD_DIM)).astype(np.float32)
Layers = list[tuple[Array, Array, Array]]
Kept = list[list[list[int]]]  # [layer][kv head]


@dataclass(frozen=True)
class Case:
    """A policy, and the rule that it stands for."""

    policy: sluice.Policy
    rule: Rule


CASES = {
    "four_rings": Case(
        sluice.Policy(
            "cascade", sink_tokens=3, cascade_tokens=64, cascades=4, stride_tokens=48, decay=0.97
        ),
        Rule(sinks=3, ring_slots=16, stride=48, periods=(1, 2, 4, 8), decay=0.97),
    ),
    "lazy_rings": Case(
        sluice.Policy(
            "cascade", sink_tokens=0, cascade_tokens=45, cascades=3, stride_tokens=20,
            periods=(1, 3, 6), eager_fill=False, group_reduce=sluice.GroupReduce.MEDIAN,
        ),
        Rule(sinks=0, ring_slots=15, stride=20, periods=(1, 3, 6), eager=False, decay=0.9999,
             reduce="median"),
    ),
    "two_rings": Case(
        sluice.Policy(
            "cascade", sink_tokens=17, cascade_tokens=20, cascades=2, stride_tokens=70, decay=1.0,
            group_reduce=sluice.GroupReduce.MEAN,
        ),
        Rule(sinks=17, ring_slots=10, stride=70, periods=(1, 2), reduce="mean"),
    ),
    "one_ring": Case(
        sluice.Policy(
            "cascade", sink_tokens=4, cascade_tokens=32, cascades=1, stride_tokens=64
        ),
        Rule(sinks=4, ring_slots=32, stride=64, decay=0.9999),
    ),
    "streaming_llm": Case(
        sluice.Policy("streaming_llm", sink_tokens=4, recent_tokens=31, stride_tokens=33),
        Rule(sinks=4, ring_slots=30, stride=33),
    ),
}  # fmt: skip
MAIN = ["four_rings", "one_ring", "streaming_llm"]
CASCADES = [name for name, case in CASES.items() if len(case.rule.periods) > 1]


def part(layers: Layers, first: int, end: int) -> Layers:
    return [(q[first:end], k[first:end], v[first:end]) for q, k, v in layers]


def rotated(layers: Layers, first: int = 0) -> Layers:
    """Queries and keys as an engine brings them that rotates by true positions from `first` on."""
    positions = range(first, first + len(layers[0][0]))
    return [
        (
            rotate(q, positions, INV_FREQ).astype(np.float32),
            rotate(k, positions, INV_FREQ).astype(np.float32),
            v,
        )
        for q, k, v in layers
    ]


def random_layers(tokens: int, generator: np.random.Generator) -> Layers:
    heads = (QUERY_HEADS, KV_HEADS, KV_HEADS)
    return [
        tuple(generator.standard_normal((tokens, n, HEAD_DIM)).astype(np.float32) for n in heads)
        for _ in range(LAYERS)
    ]  # type: ignore[misc]


_GENERATOR = np.random.default_rng(SEED)
STREAM = random_layers(PROMPT + DECODED, _GENERATOR)
OTHER_STREAM = random_layers(OTHER, _GENERATOR)  # after the prompt


@dataclass(frozen=True)
class Due:
    """What a sequence of the stream answers and keeps: outputs `[layer]`, of the whole stream."""

    outs: list[Doubles]
    kept: list[Kept]  # after the prompt, and after each decoded token
    after_prompt: CascadeModel


@functools.cache
def due(name: str) -> Due:
    model = CascadeModel(CASES[name].rule, LAYERS, KV_HEADS, INV_FREQ)
    outs = [[out] for out in model.prefill(part(STREAM, 0, PROMPT))]
    kept, after_prompt = [model.kept()], model.copy()
    for token in range(PROMPT, PROMPT + DECODED):
        for layer, out in enumerate(model.decode(part(STREAM, token, token + 1))):
            outs[layer].append(out)
        kept.append(model.kept())
    # Else what is kept might differ by rounding, and nothing could be said of it.
    assert model.closest_fight() > MARGIN
    return Due([np.concatenate(of_layer) for of_layer in outs], kept, after_prompt)


@pytest.fixture
def session(client: sluice.Client) -> Iterator[sluice.Session]:
    with client.session("cascades") as session:
        yield session


def spec(*, arrive_rotated: bool = True, **other: object) -> sluice.ModelSpec:
    table = sluice.RopeTable(inv_freq=INV_FREQ.tolist(), rotary_dim=HEAD_DIM)
    fields = {"rope_tables": [table], "keys_rotated": arrive_rotated, **other}
    return sluice.ModelSpec.uniform(
        "cascades" if arrive_rotated else "cascades, un-rotated", layers=LAYERS,
        q_heads=QUERY_HEADS, kv_heads=KV_HEADS, head_dim=HEAD_DIM, **fields,
    )  # fmt: skip


def make(
    client: sluice.Client, session: sluice.Session, name: str, *, arrive_rotated: bool = True
) -> sluice.KvSequence:
    model = client.register_model(spec(arrive_rotated=arrive_rotated))
    return client.create_sequence(model, policy=CASES[name].policy, session=session)


def run_step(session: sluice.Session, entry: sluice.StepEntry, layers: Layers) -> list[Array]:
    step = session.begin_step([entry])
    outs = [step.attend(layer, q, k, v).out for layer, (q, k, v) in enumerate(layers)]
    assert step.closed
    return outs


def prefill(
    session: sluice.Session, sequence: sluice.KvSequence, layers: Layers, chunk: int
) -> list[list[Array]]:
    """The prompt of `layers`; [chunk][layer] outputs."""
    outs = []
    while sequence.length < PROMPT:
        first = sequence.length
        end = min(first + chunk, PROMPT)
        entry = sluice.StepEntry(
            sequence, token_count=end - first, phase=sluice.Phase.PREFILL,
            prefill_end=end == PROMPT,
        )  # fmt: skip
        outs.append(run_step(session, entry, part(layers, first, end)))
    return outs


def decode(
    session: sluice.Session, sequence: sluice.KvSequence, layers: Layers, token: int
) -> list[Array]:
    entry = sluice.StepEntry(sequence, token_count=1)
    return run_step(session, entry, part(layers, token, token + 1))


def kept_of(sequence: sluice.KvSequence) -> Kept:
    return [
        [list(sequence.explain(layer, head).kept_positions) for head in range(KV_HEADS)]
        for layer in range(LAYERS)
    ]


def assert_outputs(found: list[Array], expected: list[Doubles], first: int) -> None:
    """The rows from token `first` on, of each layer."""
    for out, whole in zip(found, expected, strict=True):
        np.testing.assert_allclose(out, whole[first : first + len(out)], rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize(
    ("name", "arrive_rotated"), [*((one, True) for one in CASES), *((one, False) for one in MAIN)]
)
def test_every_row_and_every_kept_token_is_as_in_numpy(
    client: sluice.Client, session: sluice.Session, name: str, arrive_rotated: bool
) -> None:
    expected = due(name)
    layers = rotated(STREAM) if arrive_rotated else STREAM
    sequence = make(client, session, name, arrive_rotated=arrive_rotated)
    for number, outs in enumerate(prefill(session, sequence, layers, 7)):
        assert_outputs(outs, expected.outs, number * 7)
    assert kept_of(sequence) == expected.kept[0]
    for number, kept in enumerate(expected.kept[1:]):
        outs = decode(session, sequence, layers, PROMPT + number)
        assert_outputs(outs, expected.outs, PROMPT + number)
        if number % 2 == 1:
            assert kept_of(sequence) == kept


def test_the_rings_lose_tokens_that_differ_by_layer_and_head() -> None:
    """So that the comparison above would show a head that is taken for another."""
    for name in CASCADES:
        kept = [head for layer in due(name).kept[-1] for head in layer]
        assert len({tuple(head) for head in kept}) == LAYERS * KV_HEADS
        assert due(name).after_prompt.fights() > 100


@pytest.mark.parametrize("chunk", [1, 64, PROMPT])
@pytest.mark.parametrize("name", MAIN)
def test_chunks_do_not_show(
    client: sluice.Client, session: sluice.Session, name: str, chunk: int
) -> None:
    expected = due(name)
    sequence = make(client, session, name)
    for number, outs in enumerate(prefill(session, sequence, rotated(STREAM), chunk)):
        assert_outputs(outs, expected.outs, number * chunk)
    assert kept_of(sequence) == expected.kept[0]


@pytest.mark.parametrize("arrive_rotated", [True, False], ids=["rotated", "unrotated"])
def test_dims_turn_as_the_models_table_says(
    client: sluice.Client, session: sluice.Session, arrive_rotated: bool
) -> None:
    """The same stream with its dims in another order, and a factor that comes with rotating."""
    factor, expected = 1.25, due("four_rings")
    table = sluice.RopeTable(INV_FREQ.tolist(), HEAD_DIM, sluice.Pairing.INTERLEAVED, factor)
    model = dataclasses.replace(
        spec(arrive_rotated=arrive_rotated), name=f"interleaved {arrive_rotated}",
        rope_tables=[table], page_size_tokens=16,
    )  # fmt: skip
    order = np.arange(HEAD_DIM).reshape(2, -1).T.ravel()
    arriving = rotated(STREAM) if arrive_rotated else STREAM
    divisor = np.float32(1 if arrive_rotated else factor)
    layers = [(q[..., order] / divisor, k[..., order] / divisor, v) for q, k, v in arriving]
    sequence = client.create_sequence(
        client.register_model(model), policy=CASES["four_rings"].policy, session=session
    )
    for number, outs in enumerate(prefill(session, sequence, layers, 64)):
        assert_outputs(outs, expected.outs, number * 64)
    assert_outputs(decode(session, sequence, layers, PROMPT), expected.outs, PROMPT)
    assert kept_of(sequence) == expected.kept[1]


@pytest.mark.parametrize("name", CASES)
def test_a_fork_and_its_parent_go_on_alone(
    client: sluice.Client, session: sluice.Session, name: str
) -> None:
    expected, layers = due(name), rotated(STREAM)
    sequence = make(client, session, name)
    prefill(session, sequence, layers, 64)
    twin, other = client.fork([sequence, sequence], session=session)
    others, model = rotated(OTHER_STREAM, PROMPT), expected.after_prompt.copy()
    for token in range(OTHER):
        own = decode(session, sequence, layers, PROMPT + token)
        assert_outputs(own, expected.outs, PROMPT + token)
        for out, of_parent in zip(decode(session, twin, layers, PROMPT + token), own, strict=True):
            np.testing.assert_array_equal(out, of_parent)
        due_of_other = model.decode(part(OTHER_STREAM, token, token + 1))
        assert_outputs(decode(session, other, others, token), due_of_other, 0)
    assert kept_of(sequence) == kept_of(twin) == expected.kept[OTHER]
    assert model.closest_fight() > MARGIN
    assert kept_of(other) == model.kept()


@pytest.mark.parametrize("name", CASES)
def test_a_fork_within_a_stride_goes_on_as_its_parent(
    client: sluice.Client, session: sluice.Session, name: str
) -> None:
    """What came since the last whole stride is shared, and moved by each for itself."""
    expected, layers = due(name), rotated(STREAM)
    sequence = make(client, session, name)
    first = CASES[name].rule.stride + 11
    entry = sluice.StepEntry(sequence, token_count=first, phase=sluice.Phase.PREFILL)
    run_step(session, entry, part(layers, 0, first))
    (fork,) = client.fork([sequence], session=session)
    for one in (fork, sequence):
        (outs,) = prefill(session, one, layers, PROMPT)
        assert_outputs(outs, expected.outs, first)
        assert kept_of(one) == expected.kept[0]


def test_one_step_takes_cascades_of_all_kinds_beside_a_sequence_without(
    client: sluice.Client, session: sluice.Session
) -> None:
    """Some in their prompt and over several strides, some decoding."""
    layers = rotated(STREAM)
    begun = {name: make(client, session, name) for name in CASES}
    for sequence in list(begun.values())[::2]:
        prefill(session, sequence, layers, 64)
    plain = client.create_sequence(client.register_model(spec()), session=session)
    entries, ranges = [], []
    for sequence in [plain, *begun.values()]:
        first = sequence.length
        end = PROMPT if first == 0 else first + 1
        phase = sluice.Phase.PREFILL if first == 0 else sluice.Phase.DECODE
        entries.append(
            sluice.StepEntry(sequence, token_count=end - first, phase=phase, prefill_end=first == 0)
        )
        ranges.append((first, end))
    parts = [part(layers, *one) for one in ranges]
    step = session.begin_step(entries)
    outs = []
    for layer in range(LAYERS):
        rows = [np.concatenate([one[layer][which] for one in parts]) for which in range(3)]
        outs.append(step.attend(layer, *rows).out)
    at = PROMPT
    for (first, end), name in zip(ranges[1:], begun, strict=True):
        assert_outputs([out[at : at + end - first] for out in outs], due(name).outs, first)
        assert kept_of(begun[name]) == due(name).kept[end - PROMPT]
        at += end - first
    for out, (q, k, v) in zip(outs, part(layers, 0, PROMPT), strict=True):
        np.testing.assert_allclose(out[:PROMPT], oracle.attend(q, k, v)[0], atol=TOLERANCE)


@pytest.mark.parametrize("name", ["four_rings", "streaming_llm"])
def test_a_long_decode_holds_no_more_bytes(
    client: sluice.Client, session: sluice.Session, name: str
) -> None:
    layers = rotated(STREAM)
    sequence = make(client, session, name)
    prefill(session, sequence, layers, PROMPT)
    held = set()
    for token in range(90):
        decode(session, sequence, layers, PROMPT + token % DECODED)
        if token % 3 == 0:
            held.add(sequence.get().held_bytes)
    assert len(held) == 1
    slots = CASES[name].rule.sinks + CASES[name].rule.ring_slots * len(CASES[name].rule.periods)
    assert {len(head) for layer in kept_of(sequence) for head in layer} == {slots}
    full = client.create_sequence(client.register_model(spec()), session=session)
    prefill(session, full, layers, PROMPT)
    assert held.pop() < full.get().held_bytes


# ---- what is refused


def refusal(error: pytest.ExceptionInfo[sluice.SluiceError]) -> tuple[str, str, str]:
    return error.value.code, error.value.reason, error.value.field


POLICY_NEEDS = ("FAILED_PRECONDITION", "POLICY_NEEDS")


@pytest.mark.parametrize("name", ["four_rings", "streaming_llm"])
def test_what_a_cascade_cannot_do_is_refused_and_changes_nothing(
    client: sluice.Client, session: sluice.Session, name: str
) -> None:
    layers = rotated(STREAM)
    sequence = make(client, session, name)
    prefill(session, sequence, layers, 64)
    row = part(layers, PROMPT, PROMPT + 1)
    rows = [sluice.LayerRows(layer, k, v) for layer, (_, k, v) in enumerate(row)]
    entry = sluice.StepEntry(sequence, token_count=1)
    back = sluice.StepEntry(sequence, token_count=1, base_length=PROMPT - 1, rollback=True)
    calls = {
        "entries[0].rollback": lambda: session.begin_step([back]),
        "append_only": lambda: session.begin_step([entry], append_only=True),
        "layers": lambda: session.append(entry, rows),
        "sequences.sequences[0].sequence_id": lambda: session.attend([(sequence, 1)], 0, row[0][0]),
        "sequence_id": lambda: sequence.compress(),
        "policy.preset": lambda: sequence.set_policy(sluice.Policy("full")),
    }
    for field, call in calls.items():
        with pytest.raises(sluice.SluiceError) as error:
            call()
        assert refusal(error) == (*POLICY_NEEDS, field)
    assert_outputs(decode(session, sequence, layers, PROMPT), due(name).outs, PROMPT)
    assert kept_of(sequence) == due(name).kept[1]


@pytest.mark.parametrize("name", ["four_rings", "streaming_llm"])
def test_a_sequence_with_tokens_cannot_become_a_cascade(
    client: sluice.Client, session: sluice.Session, name: str
) -> None:
    sequence = client.create_sequence(client.register_model(spec()), session=session)
    assert sequence.set_policy(CASES[name].policy).rope_table
    sequence.set_policy(sluice.Policy("full"))
    decode(session, sequence, rotated(STREAM), 0)
    for call in (sequence.set_policy, lambda policy: sequence.compress(policy=policy)):
        with pytest.raises(sluice.SluiceError) as error:
            call(CASES[name].policy)
        assert refusal(error) == (*POLICY_NEEDS, "policy.preset")


@pytest.mark.parametrize("name", ["four_rings", "streaming_llm"])
def test_keys_without_queries_are_refused_within_a_step(
    client: sluice.Client, session: sluice.Session, name: str
) -> None:
    sequence = make(client, session, name)
    (q, k, v), _ = part(rotated(STREAM), 0, 1)
    with session.begin_step([sluice.StepEntry(sequence, token_count=1)]) as step:
        with pytest.raises(sluice.FailedPrecondition) as error:
            step.append([0], [k], [v])
        assert refusal(error) == (*POLICY_NEEDS, "layers")
        with pytest.raises(sluice.SluiceError):
            step.attend(0, q)


@pytest.mark.parametrize("name", ["four_rings", "streaming_llm"])
def test_drafts_and_unfit_models_are_refused(client: sluice.Client, name: str) -> None:
    def refused(model: sluice.ModelSpec, **other: int) -> tuple[str, str, str]:
        with pytest.raises(sluice.SluiceError) as error:
            client.create_sequence(client.register_model(model), policy=policy, **other)
        return refusal(error)

    policy = CASES[name].policy
    layer = sluice.LayerSpec(kv_heads=KV_HEADS, rope_table_index=0)
    sliding = sluice.LayerSpec(kv_heads=KV_HEADS, rope_table_index=0, window_tokens=64)
    bare = sluice.LayerSpec(kv_heads=KV_HEADS)
    assert refused(spec(), draft_tokens=2) == (*POLICY_NEEDS, "draft_tokens")
    for layers, code, reason in (
        ([layer, bare], *POLICY_NEEDS),
        ([layer, sliding], "INVALID_ARGUMENT", "NOT_IN_VERSION"),
    ):
        unfit = dataclasses.replace(spec(), name=f"{name} {reason}", layers=layers)
        assert refused(unfit) == (code, reason, "policy.preset")


@pytest.mark.parametrize("preset", ["full", "sink_window", "l2norm", "snapkv", "h2o"])
def test_other_policies_take_no_unrotated_keys(client: sluice.Client, preset: str) -> None:
    model = client.register_model(spec(arrive_rotated=False))
    with pytest.raises(sluice.SluiceError) as error:
        client.create_sequence(model, policy=sluice.Policy(preset))
    assert refusal(error) == (*POLICY_NEEDS, "policy.preset")
