# ruff: noqa: E501
"""One contract for every form of endpoint: all samples arrive, none wrong, and what is odd is said."""

import asyncio
import collections
import dataclasses
import json

import pytest
from endpoint_forms import FORMS, MODEL, FormServer
from places import ROOT

from hotmess_jax.llm.records import read_records
from hotmess_jax.llm.sampling import pacing
from hotmess_jax.llm.sampling.asks import SamplingSettings, plan_asks
from hotmess_jax.llm.sampling.benchmarks.question import Question
from hotmess_jax.llm.sampling.capabilities import Capabilities, from_json, refused_name
from hotmess_jax.llm.sampling.collect import Counts, collect
from hotmess_jax.llm.sampling.endpoint import Endpoint
from hotmess_jax.llm.sampling.record_file import RecordFile

QUESTIONS = [
    Question("mmlu", f"q/{i}", f"Question {i}?", ("one", "two", "three", "four"), "A", "q")
    for i in range(6)
]


def sampled(server, path, kept, samples):
    """Sample from a server as the command does; return the endpoint and the counts."""
    settings = SamplingSettings(
        benchmark="mmlu",
        data="d",
        model=MODEL,
        temperature=0.7,
        top_k=40,
        max_tokens=50,
        samples=samples,
    )

    async def main():
        await server.start()
        endpoint = Endpoint(settings, server.url, "none", timeout_s=10.0, capabilities=kept)
        counts, file = Counts(), RecordFile(path)
        try:
            advice = await endpoint.check()
            with file.opened({}, ()):
                asks = plan_asks(settings, QUESTIONS, file)
                await collect(endpoint, settings, asks, file, 8, counts)
            return endpoint, counts, advice
        finally:
            await endpoint.close()
            server.server.close()

    return asyncio.run(main())


@pytest.mark.parametrize("name", FORMS)
def test_every_form_gives_all_samples_and_says_what_is_odd(name, tmp_path, monkeypatch):
    monkeypatch.setattr(pacing, "LONGEST_BACKOFF_S", 0.02)
    form = dataclasses.replace(FORMS[name])
    server, path = FormServer(form), tmp_path / "r.jsonl"
    endpoint, counts, advice = sampled(server, path, None, 9)
    records = [json.loads(line) for line in path.read_text().split("\n") if line]
    keys = collections.Counter((r["question_id"], r["sample"]) for r in records)
    assert len(keys) == len(records) == 54 == counts.done and counts.failed == 0
    read_records([path])  # readable by everything that follows
    # Nothing is read that was not drawn, and no letter of the reasoning.
    assert {r["answer"] for r in records} <= set("ABC")
    drawn = collections.Counter(letter for _, letter in server.drawn)
    assert all(
        n <= drawn[letter] for letter, n in collections.Counter(r["answer"] for r in records).items()
    )
    if name != "a gateway that says nothing":
        assert len({r["answer"] for r in records}) == 3
    assert all(("It may be D" in r.get("reasoning", "")) == form.reasons for r in records)
    # No seed, and no temperature, that was not sent.
    sent = {asked.get("seed") for asked in server.asked}
    assert {r.get("seed") for r in records} <= sent
    assert {r.get("temperature") for r in records} == {
        asked.get("temperature") for asked in server.asked[-5:]
    }
    # With the seed that is written down a sample comes again.
    together = collections.Counter((r["question_id"], r["seed"]) for r in records if "seed" in r)
    for r in records:
        if together.get((r["question_id"], r.get("seed"))) == 1 and not form.empty_every:
            assert (r["seed"], r["answer"]) in server.drawn
    assert form.expects in " ".join(endpoint.capabilities.notes)
    assert (endpoint.capabilities.most_n == 1) == form.alone
    assert endpoint.empty == server.empty and (server.empty > 0) == (form.empty_every > 0)
    assert bool(advice) == (not isinstance(form.models, list) or form.models == ["/models/file.gguf"])
    if name == "llama-cpp-python, short at first":  # the first that is too long tells
        assert all(r["output_tokens"] <= 50 for r in records)
    # What was learnt is kept: the same command with more samples is refused nothing.
    kept = from_json(json.loads(json.dumps(dataclasses.asdict(endpoint.capabilities))))
    assert kept == endpoint.capabilities and kept.notes == endpoint.capabilities.notes
    again = FormServer(form)
    _, counts, _ = sampled(again, path, kept, 12)
    assert counts.done == 18 and counts.failed == 0 and again.refused == 0


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({"message": "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.", "param": "max_tokens"}, "max_tokens"),
        ({"message": "Unsupported value: 'temperature' does not support 0.6 with this model. Only the default (1) value is supported."}, "temperature"),
        ({"detail": [{"loc": ["body", "seed"], "msg": "extra fields not permitted"}]}, "seed"),
        ({"error": {"message": "top_k: Extra inputs are not permitted"}}, "top_k"),
        ("UnsupportedParamsError: this model does not support parameters: ['seed'], for model=x", "seed"),
        ("Invalid value at 'generation_config.seed' (TYPE_INT32), 9007199254740991", "seed"),
        ("property 'seed' is unsupported", "seed"),
        # What repeats the request says nothing of what is wrong.
        ({"detail": [{"msg": "flagged", "input": {"seed": 5, "top_k": 4}}]}, None),
        ("The prompt was flagged: it is about seeds, and non-stop", None),
        (None, None),
    ],
)  # fmt: skip
def test_the_name_in_a_refusal_is_read(body, name):
    sent = ["seed", "top_k", "temperature", "max_tokens", "max_completion_tokens", "stop"]
    assert refused_name(body, sent) == name


def test_what_is_refused_again_is_left_out():
    first = Capabilities()
    assert first.sent_seed(2**53 - 1) == 2**53 - 1
    shorter = first.without("seed")
    assert shorter.sent_seed(2**53 - 1) == 2**31 - 1 and shorter.without("seed").sent_seed(5) is None
    assert shorter.without("seed").without("seed") is None
    other = first.without("max_completion_tokens")
    assert other.length_fields == ("max_tokens",) and other.without("max_tokens").length_fields == ()
    assert first.without("thinking", 1) is None and first.without("thinking", 3).budget_form == 1
    assert first.without("model") is None and first.without("top_k").without("top_k") is None
    for odd in (None, [], {"most_n": [1], "dropped": "x", "other": 1}, {"seed_bits": 31}):
        assert isinstance(from_json(odd), Capabilities)


def test_each_form_is_in_the_results():
    table = (ROOT / "results" / "endpoints.md").read_text(encoding="utf-8")
    assert all(f"| {name} |" in table for name in FORMS)
