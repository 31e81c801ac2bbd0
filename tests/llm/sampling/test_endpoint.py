# ruff: noqa: E501
"""Endpoints that fail in every way: real HTTP on loopback."""

import ast
import asyncio
import collections
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
import types
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from fault_server import FAULTS, KEY, MODEL, SAMPLES, FaultServer
from places import ROOT

from experiments import llm_sample
from hotmess_jax.llm.records import Record
from hotmess_jax.llm.sampling import asks as sampling
from hotmess_jax.llm.sampling import collect as collect_module
from hotmess_jax.llm.sampling import offline as offline_module
from hotmess_jax.llm.sampling import pacing, run_settings, runs
from hotmess_jax.llm.sampling.asks import Prompt, SamplingSettings, plan_asks
from hotmess_jax.llm.sampling.benchmarks import load
from hotmess_jax.llm.sampling.collect import Counts, collect
from hotmess_jax.llm.sampling.embeddings import Embedded, embed_records, embeddings_path
from hotmess_jax.llm.sampling.endpoint import (
    Endpoint,
    EndpointError,
    RequestFailedError,
    api_key,
    same_host,
)
from hotmess_jax.llm.sampling.offline import collect_offline
from hotmess_jax.llm.sampling.record_file import RecordFile
from hotmess_jax.llm.sampling.replies import (
    EmptyReplyError,
    MalformedReplyError,
    UnreadableReplyError,
    read_samples,
)

COUNTED = {"completion_tokens": 64}
HIDDEN = COUNTED | {"completion_tokens_details": {"reasoning_tokens": 60}}
OTHER_KEY = "sk-of-the-other-host-543210"
RIGHT = ["A", "B", "C", ""]  # of fault_server.SAMPLES


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch):
    monkeypatch.setattr(pacing, "LONGEST_BACKOFF_S", 0.02)
    monkeypatch.setattr(pacing, "CUT_AT_ONCE", 1.0)  # faults of made servers are no limits


def write_questions(path, count):
    """Write made MMLU questions in the Hendrycks format."""
    rows = (f"Question {i}?,one,two,three,four,{'ABCD'[i % 4]}\n" for i in range(count))
    path.write_text("".join(rows))
    return path


def run(**more):
    return SamplingSettings(**({"benchmark": "mmlu", "data": "", "model": MODEL} | more))


def with_server(do, settings=None, client=None, **server):
    """Start a server, hand it and an endpoint to `do`, and return what that returns."""

    async def main():
        served = await FaultServer(**server).start()
        endpoint = Endpoint(
            settings or run(),
            served.url,
            **{"key": KEY, "timeout_s": 10.0, "patience_s": 5.0} | (client or {}),
        )
        try:
            return await do(served, endpoint)
        finally:
            await endpoint.close()
            await served.stop()

    return asyncio.run(main())


def collected(tmp_path, settings, questions=12, concurrency=8, per_request=None, client=None, **server):
    """Collect everything from a server; return the server, the records, the counts and the file."""
    corpus = load("mmlu", str(write_questions(tmp_path / "made_test.csv", questions)))[0]
    counts = Counts()

    def on_retry():
        counts.retried += 1

    async def do(served, endpoint):
        file = RecordFile(tmp_path / "records.jsonl")
        with file.opened({}, ()):
            asks = plan_asks(settings, corpus, file, per_request)
            await collect(endpoint, settings, asks, file, concurrency, counts)
        return (
            served,
            [json.loads(line) for line in file.path.read_text().strip("\n").split("\n")],
            counts,
            file,
        )

    return with_server(do, settings, {"on_retry": on_retry} | (client or {}), **server)


def keys(records):
    return collections.Counter((r["question_id"], r["context"], r["sample"]) for r in records)


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_is_got_over(tmp_path, fault):
    served, records, counts, _ = collected(
        tmp_path,
        run(samples=5),
        per_request=1,
        every=3,
        faults=[fault],
        client={"timeout_s": 0.5 if fault == "stall" else 60.0},
    )
    assert served.stats[fault] >= 20
    assert set(keys(records).values()) == {1} and len(records) == 60 == counts.done
    assert counts.failed == 0
    assert (counts.retried > 0) == (fault not in ("too many choices", "too few choices"))
    assert all(r["answer"] == RIGHT[r["seed"] % 4] for r in records)


@pytest.mark.parametrize("api", ["chat", "completions"])
def test_many_samples_in_one_request(tmp_path, api):
    served, records, counts, _ = collected(tmp_path, run(samples=6, api=api))
    assert served.stats["requests"] == 12 and served.stats["samples asked"] == 72
    assert len(keys(records)) == len(records) == counts.done == 72
    # The seed is the request's; the server's sample i has seed + i, as vLLM's has.
    assert all(r["answer"] == RIGHT[(r["seed"] + r["sample"]) % 4] for r in records)
    assert counts.tokens == 0 and not any("output_tokens" in r for r in records)  # a sum tells nothing
    for r in records:
        Record.model_validate(r)


def test_an_endpoint_without_n_is_asked_one_by_one(tmp_path):
    served, records, counts, _ = collected(
        tmp_path, run(samples=3), refuse={"n": "n must be 1"}, questions=4
    )
    assert len(keys(records)) == 12 == counts.done and counts.failed == 0
    assert served.stats["samples asked"] == 12
    assert all(r["output_tokens"] == 3 for r in records) and counts.tokens == 36


def test_an_endpoint_that_gives_one_of_n_is_asked_for_the_others(tmp_path):
    served, records, counts, _ = collected(
        tmp_path, run(samples=4), every=1, faults=["too few choices"], questions=3
    )
    assert len(keys(records)) == 12 == len(records) == counts.done
    assert len(set(served.seeds)) == len(served.seeds)


def test_what_fails_for_good_is_written_down_and_asked_again(tmp_path):
    client, flagged = {"attempts": 3}, (["Question 3?", "Question 7?"], 500)
    for _ in range(2):  # again: the list does not grow
        _, records, counts, file = collected(
            tmp_path, run(samples=5), per_request=1, flagged=flagged, client=client, concurrency=4
        )
        failures = [json.loads(line) for line in file.failures_path.read_text().split("\n") if line]
        assert counts.failed == sum(len(f["samples"]) for f in failures) == 10 == 60 - len(records)
        assert all(f["reason"] == "after 3 attempts: HTTP 500: flagged by the filter" for f in failures)
        assert all(f["time"].startswith("20") for f in failures)
    _, records, again, file = collected(tmp_path, run(samples=5), per_request=1)
    assert again.done == counts.failed and set(keys(records).values()) == {1} and len(records) == 60
    assert not file.failures_path.exists()


def test_an_endpoint_that_goes_down_ends_the_run_after_a_while(tmp_path):
    faults = [*["none"] * 20, *["500"] * 10_000]
    with pytest.raises(EndpointError, match=r"the endpoint is away for .* min: HTTP 500: key \[key\]"):
        collected(
            tmp_path,
            run(samples=50),
            per_request=1,
            every=1,
            faults=faults,
            client={"attempts": 2, "patience_s": 0.5},
        )
    assert len((tmp_path / "records.jsonl").read_text().strip("\n").split("\n")) == 20


@pytest.mark.parametrize("fault", ["500", "503 as HTML", "hang-up before the reply"])
def test_an_endpoint_that_comes_back_costs_no_sample(tmp_path, fault):
    faults = [*["none"] * 10, *[fault] * 20, *["none"] * 1_000]
    client = {"attempts": 2, "patience_s": 20.0}
    _, records, counts, _ = collected(
        tmp_path, run(samples=5), per_request=1, every=1, faults=faults, client=client
    )
    assert len(records) == 60 == counts.done and counts.failed == 0


@pytest.mark.parametrize(
    ("settings", "client", "server", "advice", "said"),
    [
        (run(), {"key": "sk-wrong-key-987654"}, {}, "no list of models", r"HTTP 401: .*: \[key\]$"),
        (
            run(model="gpt-9"),
            {},
            {"refuse": {"model": "no such model"}, "status": 404},
            "does not list 'gpt-9'; it has made-up",
            "HTTP 404: no such model; it has made-up",
        ),
    ],
)
def test_the_first_request_decides(tmp_path, settings, client, server, advice, said):
    async def do(served, endpoint):
        (line,) = await endpoint.check()
        with pytest.raises(EndpointError, match=said):
            await endpoint.ask(Prompt("", "Well?"), 1, 5)
        return line, served.stats["samples asked"]

    line, samples = with_server(do, settings, client, **server)
    assert advice in line and samples == 0


def test_nobody_there_and_bad_urls():
    async def do():
        endpoint = Endpoint(run(), "http://127.0.0.1:9/v1", KEY)
        with pytest.raises(EndpointError, match=r"127\.0\.0\.1:9/v1 cannot be used: no connection"):
            await endpoint.check()

    asyncio.run(do())
    for url, said in (("localhost:80", "must begin with http"), ("http://me:pw@h/v1", "no user name")):
        with pytest.raises(ValueError, match=said):
            Endpoint(run(), url, KEY)


def test_all_refused_ends_after_three_requests(tmp_path):
    with pytest.raises(EndpointError, match="first 3 requests failed: HTTP 400: no such thing"):
        collected(tmp_path, run(samples=4), refuse={"messages": "no such thing"})


def test_what_is_sent():
    settings = run(sampling="qwen3-thinking", max_tokens=50, reasoning_effort="low")

    async def do(served, endpoint):
        await endpoint.ask(Prompt("Be brief.", "Well?"), 2, 7)
        endpoint.is_vllm = True
        await endpoint.ask(Prompt("", "Well?"), 1, 7)
        return served.bodies

    first, second = with_server(do, settings, {"extra_body": {"min_p": 0.0}})
    assert first == {
        "model": MODEL, "n": 2, "seed": 7, "temperature": 0.6, "top_p": 0.95, "top_k": 20, "min_p": 0.0,
        "max_completion_tokens": 50, "reasoning_effort": "low",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Well?"}],
    }  # fmt: skip
    assert second["return_token_ids"] is True and "n" not in second
    assert [m["role"] for m in second["messages"]] == ["user"]


@pytest.mark.parametrize(("is_vllm", "field"), [(True, "thinking_token_budget"), (False, "thinking")])
def test_thinking_budgets(is_vllm, field):
    async def do(served, endpoint):
        endpoint.is_vllm = is_vllm
        await endpoint.ask(Prompt("", "Well?"), 1, 7)
        return served.bodies[0]

    sent = with_server(do, run(thinking_budget=1024))
    assert sent[field] == (1024 if is_vllm else {"type": "enabled", "budget_tokens": 1024})


THOUGHT = [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]}]


@pytest.mark.parametrize(
    ("choice", "usage", "expected"),
    [
        ({"message": {"content": "B", "reasoning_content": "Hm"}}, {}, ("B", "Hm", None, None)),
        ({"message": {"content": "B", "reasoning": "Hm"}}, COUNTED, ("B", "Hm", 64, None)),
        ({"message": {"content": "B", "reasoning": {"content": [{"text": "Hm"}]}}}, {}, ("B", "Hm", None, None)),
        ({"message": {"content": "B", "reasoning": [{"summary": "Hm"}, {"data": "x"}]}}, {}, ("B", "Hm", None, None)),
        ({"message": {"content": "B", "reasoning": 7, "reasoning_details": [{"text": "Hm"}]}}, {}, ("B", "Hm", None, None)),
        ({"message": {"content": [*THOUGHT, {"type": "text", "text": "B"}, {"type": "text", "text": "."}]}}, {}, ("B.", "Hm", None, None)),
        ({"message": {"content": ["B", {"type": "image_url", "image_url": {"url": "x"}}]}}, {}, ("B", None, None, None)),
        ({"message": {"content": {"type": "text", "text": "B"}}}, {}, ("B", None, None, None)),
        ({"message": {"content": None}, "finish_reason": "length"}, HIDDEN, ("", None, 64, 60)),
        ({"message": {"content": ""}, "finish_reason": "content_filter"}, {}, ("", None, None, None)),
        ({"message": {"content": "", "reasoning": "Hm"}, "finish_reason": "stop"}, {}, ("", "Hm", None, None)),
        ({"message": {"content": None, "refusal": "No."}}, {}, ("No.", None, None, None)),
        ({"message": {"content": "B"}}, {"completion_tokens": "many", "completion_tokens_details": [3]}, ("B", None, None, None)),
        ({"message": {"content": "B"}}, {"completion_tokens": True, "reasoning_tokens": 5.0}, ("B", None, None, 5)),
        ({"text": " B", "token_ids": [5, 6]}, {"completion_tokens": 9}, (" B", None, 2, None)),
        ({"text": "", "finish_reason": "stop"}, {}, ("", None, None, None)),
    ],
)  # fmt: skip
def test_replies_of_many_kinds(choice, usage, expected):
    ((reply,), choices, shared) = read_samples(
        {"choices": [choice], "usage": usage}, "message" in choice
    )
    assert (reply.text, reply.reasoning, reply.output_tokens, reply.reasoning_tokens) == expected
    assert (reply.finish_reason == "refusal") == ("refusal" in choice.get("message", {}))
    assert choices == 1 and not shared
    two = {"choices": [choice, choice], "usage": usage | COUNTED}
    assert read_samples(two, "message" in choice).shared_length == ("token_ids" not in choice)


@pytest.mark.parametrize("reason", [None, "stop", "length", {"type": "stop"}, 3, ["length"]])
def test_every_finish_reason_can_be_read_again(reason):
    choice = {"message": {"content": "B"}, "finish_reason": reason}
    ((reply,), *_) = read_samples({"choices": [choice]}, True)
    assert reply.finish_reason is None or isinstance(reply.finish_reason, str)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"choices": [{"message": {"content": ""}, "finish_reason": "stop"}]}, EmptyReplyError),
        ({"choices": [{"message": {"content": None}, "finish_reason": "stop"}]}, EmptyReplyError),
        ({"choices": [{"message": {"content": " \n"}}]}, EmptyReplyError),
        ({"choices": [{"message": None, "finish_reason": "stop"}]}, EmptyReplyError),
        ({"choices": [{"message": {"content": []}}]}, EmptyReplyError),
        ({"choices": [{"message": {"content": ""}, "finish_reason": "error"}]}, MalformedReplyError),
        ({"choices": [{"error": {"code": 502}, "message": None}]}, MalformedReplyError),
        ({"choices": ["B"]}, MalformedReplyError),
        ({"choices": {}}, MalformedReplyError),
        (["B"], MalformedReplyError),
        (None, MalformedReplyError),
        ({"choices": [{"message": {"content": 7}}]}, UnreadableReplyError),
        ({"choices": [{"message": {"content": {"body": "B"}}}]}, UnreadableReplyError),
    ],
)  # fmt: skip
def test_replies_that_are_none(body, error):
    with pytest.raises(error):
        read_samples(body, True)


@pytest.mark.parametrize("status", [400, 403, 422])
def test_a_filter_that_refuses_the_first_questions_does_not_end_a_run(tmp_path, status, monkeypatch):
    monkeypatch.setattr(collect_module, "MOST_FAILURES_IN_A_ROW", 4)
    flagged = ([f"Question {i}?" for i in range(6)], status)
    for start in range(3):  # the second and the third find only what is always refused
        _, records, counts, file = collected(
            tmp_path, run(samples=2), questions=9, per_request=1, flagged=flagged, concurrency=2
        )
        assert len(keys(records)) == 6 == len(records) and counts.failed == 12, start
        assert counts.done == (6 if start == 0 else 0)
    failures = [json.loads(line) for line in file.failures_path.read_text().split("\n") if line]
    assert all(f["reason"] == f"HTTP {status}: flagged by the filter" for f in failures)
    assert len(failures) == 12


def test_a_key_without_permission_ends_a_run(tmp_path):
    with pytest.raises(EndpointError, match="first 3 requests failed: HTTP 403"):
        collected(tmp_path, run(samples=2), flagged=(["role"], 403))


def test_a_key_is_never_shown(monkeypatch):
    for key, held in ((f"{KEY}\r\n", KEY), (f"  {KEY}\t", KEY), ("", "none"), (" \n", "none")):
        monkeypatch.setenv("A_KEY", key)
        assert api_key("A_KEY") == held
    for odd in ("\r", " ", "\x00", "é", "\x7f", "\n"):
        with monkeypatch.context() as context:
            context.setattr(os, "environ", {"A_KEY": f"{KEY[:9]}{odd}{KEY[9:]}"})
            with pytest.raises(ValueError, match="the key in A_KEY holds") as error:
                api_key("A_KEY")
        assert KEY[:9] not in str(error.value) and KEY[9:] not in str(error.value)


@pytest.mark.parametrize("page", ["x" * 110, "x" * 285, "x" * 292, "", "a\n  " * 60])
def test_a_page_that_repeats_the_key_shows_no_part_of_it(page):
    async def do(served, endpoint):
        for answer in (
            {"message": f"{page}{KEY} {KEY}"},
            {"message": {"headers": [f"Bearer {KEY}"], "page": page + KEY}},
        ):
            served.refuse = {"model": answer}
            for status in (400, 404, 500, 200):
                served.status = status
                with pytest.raises((EndpointError, RequestFailedError)) as error:
                    await endpoint.ask(Prompt("", "Well?"), 1, 7)
                assert KEY[:8] not in str(error.value)

    with_server(do, client={"attempts": 1})


def test_keys_go_to_their_own_hosts_only():
    same = same_host
    assert same("https://h/v1", "https://H:443/other") and not same("https://h/v1", "http://h/v1")
    assert not same("https://h:1/v1", "https://h:2/v1") and not same("https://h/v1", None)
    assert not same("https://h.evil/v1", "https://h/v1")


def test_being_told_to_wait_uses_no_attempt_up():
    async def do(served, endpoint):
        start = time.monotonic()
        await endpoint.ask(Prompt("", "Well?"), 1, 7)
        return time.monotonic() - start, served.stats

    faults = [*["429 with Retry-After"] * 5, "none"]
    took, stats = with_server(do, client={"attempts": 1}, every=1, faults=faults)
    assert 0.25 <= took < 2 and stats["429 with Retry-After"] == 5 and stats["requests"] == 6


def test_no_money_is_no_limit():
    async def do(served, endpoint):
        with pytest.raises(EndpointError, match=r"HTTP 429: .*insufficient_quota"):
            await endpoint.ask(Prompt("", "Well?"), 1, 7)

    with_server(do, refuse={"model": {"code": "insufficient_quota"}}, status=429)


def test_embeddings_go_beside_the_records_and_grow_with_them(tmp_path):
    path = tmp_path / "r.jsonl"
    answers = ["no", "", "perhaps", "yes"]
    path.write_text("".join(json.dumps({"open_answer": a}) + "\n" for a in answers[:3]))
    asked = []

    def embedded():
        async def do(served, endpoint):
            async def embed(texts):
                asked.extend(texts)
                return await endpoint.embed("small", texts)

            loop = asyncio.get_running_loop()
            return await asyncio.to_thread(
                embed_records,
                path,
                lambda texts: asyncio.run_coroutine_threadsafe(embed(texts), loop).result(),
                lambda done, lines: None,
            )

        return with_server(do)

    assert embedded() == Embedded(2, 1, 0, 0)
    with path.open("a") as stream:
        stream.write(json.dumps({"open_answer": answers[3]}) + "\n")
    assert embedded() == Embedded(3, 1, 0, 0)
    assert asked == ["no", "perhaps", "yes"]
    vectors = np.load(embeddings_path(path))
    assert vectors.dtype == np.float32
    np.testing.assert_array_equal(vectors, [[2, 1], [np.nan, np.nan], [7, 1], [3, 1]])
    with pytest.raises(ValueError, match="made by another model"):
        path.write_text(path.read_text() + json.dumps({"open_answer": "more"}) + "\n")
        embed_records(path, lambda texts: [[0.0] * 5 for _ in texts], lambda done, lines: None)


def start_run(tmp_path, url, *more):
    command = [sys.executable, "-m", "experiments.llm_sample", "--benchmark", "mmlu", "--model", MODEL]
    command += [
        "--data",
        str(tmp_path / "made_test.csv"),
        "--base-url",
        url,
        "--out",
        str(tmp_path / "r.jsonl"),
    ]
    return subprocess.Popen(
        [*command, *more],
        cwd=ROOT,
        env=os.environ | {"OPENAI_API_KEY": KEY},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # ignored in the background
    )


@contextlib.contextmanager
def faults_in_each(nth, port_file):
    """Yield the URL of a fault server in a process of its own."""
    server = subprocess.Popen(
        [sys.executable, ROOT / "tests" / "fault_server.py", port_file, nth, "3600"]
    )
    try:
        while not port_file.exists():
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port_file.read_text()}/v1"
    finally:
        server.kill()
        server.wait()


@pytest.mark.slow
def test_ten_thousand_requests_a_fault_in_every_fifth_and_three_kills(tmp_path):
    write_questions(tmp_path / "made_test.csv", 500)
    with faults_in_each("5", tmp_path / "port") as url:
        more = ["--samples", "20", "--samples-per-request", "1", "--timeout", "1", "--attempts", "20"]
        path = tmp_path / "r.jsonl"
        said = ""
        for enough in (500, 3_000, 6_000, None):
            run = start_run(tmp_path, url, *more)
            while run.poll() is None and enough is not None:
                if path.exists() and path.read_bytes().count(b"\n") >= enough:
                    run.send_signal(signal.SIGKILL)
                time.sleep(0.1)
            said += run.communicate()[0]
            assert run.returncode == (0 if enough is None else -signal.SIGKILL), said
        with urllib.request.urlopen(url.replace("/v1", "/stats")) as reply:
            stats = json.load(reply)
    records = [json.loads(line) for line in path.read_text().strip("\n").split("\n")]
    assert len(records) == 10_000 and set(keys(records).values()) == {1}
    assert all(r["answer"] == RIGHT[r["seed"] % 4] for r in records)
    assert len({r["seed"] for r in records}) == 10_000
    assert set(FAULTS) <= stats.keys() and sum(stats[f] for f in FAULTS) >= 2_000
    # No key in any byte that the run wrote.
    assert KEY not in said
    for file in tmp_path.iterdir():
        assert KEY.encode() not in file.read_bytes()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_sampling_with_what_has_arrived(tmp_path, number):
    write_questions(tmp_path / "made_test.csv", 500)
    with faults_in_each("0", tmp_path / "port") as url:
        path = tmp_path / "r.jsonl"
        run = start_run(tmp_path, url, "--samples", "20", "--samples-per-request", "1")
        while run.poll() is None and not (path.exists() and path.read_bytes().count(b"\n") >= 50):
            time.sleep(0.02)
        run.send_signal(number)
        begun = time.monotonic()
        said = run.communicate()[0]
        assert run.returncode == 128 + number, said
        assert time.monotonic() - begun < 30
        text = path.read_text()
        assert text.endswith("\n") and "Traceback" not in said
        there = len(text.splitlines())
        last = said.strip().splitlines()[-1]
        assert f"stopped by {number.name}: {there:,} of 10,000 samples are in {path}" in last
        assert "go on with: python -m experiments.llm_sample" in last and KEY not in said


def test_where_all_samples_are_there_no_endpoint_is_needed(tmp_path, monkeypatch, capsys):
    write_questions(tmp_path / "made_test.csv", 2)
    words = ["--benchmark", "mmlu", "--data", str(tmp_path / "made_test.csv"), "--model", MODEL,
             "--base-url", "http://127.0.0.1:9/v1", "--out", str(tmp_path / "r.jsonl"), "--samples", "3"]  # fmt: skip
    monkeypatch.setattr(sys, "argv", ["llm_sample", *words])
    monkeypatch.setattr(runs, "plan_asks", lambda *_: iter(()))
    llm_sample.main()
    printed = capsys.readouterr()
    assert "0 samples in" in " ".join((printed.out + printed.err).split())


def test_the_command_line_from_dry_run_to_exit_status(tmp_path, monkeypatch, capsys):
    write_questions(tmp_path / "made_test.csv", 6)
    data = ["--benchmark", "mmlu", "--data", str(tmp_path / "made_test.csv"), "--model", MODEL]
    out = ["--out", str(tmp_path / "r.jsonl")]

    def main(*words):
        monkeypatch.setattr(sys, "argv", ["llm_sample", *data, *out, *words])
        try:
            llm_sample.main()
        except SystemExit as stop:
            return stop.code, capsys.readouterr()
        return 0, capsys.readouterr()

    code, printed = main(
        "--base-url", "http://127.0.0.1:9/v1", "--dry-run", "--max-tokens", "7", "--shots", "1"
    )
    assert code == 0 and not (tmp_path / "r.jsonl").exists()
    assert "samples    180" in printed.out and "replies    at most 1,260 tokens" in printed.out
    assert "requests   6 to 180 (the second where one request gives one sample)" in printed.out
    assert "Question 0?" in printed.out
    url = ["--base-url", "http://127.0.0.1:9/v1"]
    for words, said in (
        ([], "one of --base-url and --vllm-offline is needed"),
        ([*url, "--vllm-offline"], "one of --base-url and --vllm-offline, not both"),
        (
            [*url, "--extra-body", '{"seed": 4}'],
            "extra-body may not hold 'seed': records say what --seed is",
        ),
        ([*url, "--timeout", "nan"], "timeout must be above 0 s, got nan"),
        ([*url, "--wait-minutes", "0"], "wait-minutes must be above 0 min, got 0.0"),
        ([*url, "--top-p", "nan"], "top-p must be above 0 and at most 1, got nan"),
        (
            [*url, "--thinking-budget", "5", "--base-url", "https://api.openai.com/v1"],
            "takes no reasoning budget in tokens",
        ),
        (["--base-url", "http://127.0.0.1:9/v1"], "no connection"),
        (["--base-url", "x"], "base-url must begin with"),
        (
            ["--base-url", "http://h/v1", "--extra-body", "[]"],
            "extra-body must be a JSON object, got '[]'",
        ),
        (["--base-url", "http://h/v1", "--embed", "small"], "only answers of the open format"),
        (["--base-url", "http://h/v1", "--concurrency", "0"], "concurrency must be at least 1, got 0"),
    ):
        code, printed = main(*words)
        assert code == 2 and said in printed.err.replace("\n", " "), printed.err
        assert len([line for line in printed.err.splitlines() if line.startswith("error: ")]) == 1


def test_no_line_of_a_flag_s_text_breaks_in_its_middle():
    # tyro keeps a line break before what is no letter.
    for source in (run_settings, sampling):
        for node in ast.walk(ast.parse(Path(source.__file__).read_text())):
            if isinstance(node, ast.ClassDef) and node.name.endswith(("Config", "Settings")):
                texts = [
                    ast.literal_eval(each.value) for each in node.body if isinstance(each, ast.Expr)
                ]
                lines = [line.strip() for text in texts for line in text.split("\n")[1:]]
                assert len(texts) > 10 and all(line[:1].isalpha() for line in lines)


class FakeVllm:
    """What this project uses of vLLM: one engine, which says what it was told, and ends one request a step."""

    def __init__(self):
        self.engines, self.waiting, self.most_waiting = [], {}, 0
        self.sampling_params = types.SimpleNamespace(
            RequestOutputKind=types.SimpleNamespace(FINAL_ONLY="final only")
        )
        self.llm_engine = self
        self.SamplingParams = lambda **given: types.SimpleNamespace(**given)
        self.LLM = self.make

    def make(self, model, **arguments):
        self.engines.append((model, arguments))
        return self

    def get_tokenizer(self):
        return self

    def encode(self, text, add_special_tokens):
        return text.split()

    def apply_chat_template(self, messages, add_generation_prompt, tokenize, **more):
        assert add_generation_prompt and not tokenize
        return "".join(f"[{m['role']}] {m['content']}" for m in messages)

    def add_request(self, name, prompt, parameters):
        said = prompt.get("prompt") or " ".join(prompt["prompt_token_ids"])
        if "Question 11?" in said.rpartition("Question")[1] + said.rpartition("Question")[2]:
            raise ValueError("The prompt is too long")
        assert parameters.output_kind == "final only"
        self.waiting[name] = parameters
        self.most_waiting = max(self.most_waiting, len(self.waiting))

    def step(self):
        name = max(self.waiting)  # not the first
        p = self.waiting.pop(name)
        done = [self.sample(p, i) for i in range(p.n)]
        return [
            types.SimpleNamespace(request_id="other", finished=False, outputs=[]),
            types.SimpleNamespace(request_id=name, finished=True, outputs=done),
        ]

    def sample(self, p, i):
        thought = "<think>one two</think>" if p.skip_special_tokens else "[THINK]one two[/THINK]"
        text = thought + SAMPLES[(p.seed + i) % 4]
        return types.SimpleNamespace(text=text, finish_reason="stop", token_ids=[1, 2, 3])


@pytest.mark.parametrize("api", ["completions", "chat"])
def test_offline_and_server_write_the_same_records(tmp_path, monkeypatch, api):
    settings = run(samples=6, contexts=2, shots=2, api=api, temperature=0.5)
    (tmp_path / "server").mkdir()
    _, expected, _, _ = collected(tmp_path / "server", settings)
    fake = FakeVllm()
    monkeypatch.setitem(sys.modules, "vllm", fake)
    monkeypatch.setattr(offline_module, "REQUESTS_IN_THE_ENGINE", 5)
    corpus = load("mmlu", str(tmp_path / "server" / "made_test.csv"))[0]
    file, counts, seen = RecordFile(tmp_path / "offline.jsonl"), Counts(), []

    def look():
        seen.append(file.path.read_bytes().count(b"\n"))

    with file.opened({}, ()):
        asks = plan_asks(settings, corpus, file)
        collect_offline(settings, asks, file, counts, {"dtype": "float32"}, look)
    assert seen == [*range(6, 6 * 22 + 1, 6)]  # each request's samples as it ends
    records = [json.loads(line) for line in file.path.read_text().strip("\n").split("\n")]

    def comparable(rows):
        own = ("output_tokens", "reasoning", "reasoning_tokens")
        stripped = ({k: v for k, v in row.items() if k not in own} for row in rows)
        return sorted(json.dumps(row, sort_keys=True) for row in stripped)

    written = {row["question_id"] for row in records}
    expected = [row for row in expected if row["question_id"] in written]
    assert len(expected) == 132 and comparable(records) == comparable(expected)
    assert all(
        (r["output_tokens"], r["reasoning"], r["reasoning_tokens"]) == (3, "one two", 2)
        for r in records
    )
    assert counts.done == len(records) == 132 and counts.tokens == 3 * 132
    assert counts.failed == 12 and "too long" in file.failures_path.read_text()
    assert fake.most_waiting == 5
    (engine,) = fake.engines
    assert engine == (MODEL, {"enable_prefix_caching": True, "seed": 0, "dtype": "float32"})
    with file.opened({}, ()):  # nothing is left to do, and no model is loaded
        asks = (a for a in plan_asks(settings, corpus, file) if a.question.question_id in written)
        collect_offline(settings, asks, file, counts, {})
    assert len(fake.engines) == 1
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(ValueError, match="offline sampling needs vLLM"):
        collect_offline(settings, iter([]), file, counts, {})


def test_open_answers_and_their_embeddings_on_the_command_line(tmp_path, monkeypatch, capsys):
    rows = [
        {"question": f"Go {i}?\n\nChoices:\n (A) Yes\n (B) No", "answer_matching_behavior": " (A)"}
        for i in range(3)
    ]
    (tmp_path / "will.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    monkeypatch.setenv("MY_KEY", KEY)
    command = ["llm_sample", "--benchmark", "mwe", "--data", str(tmp_path), "--model", MODEL]
    command += [
        "--format",
        "open",
        "--samples",
        "2",
        "--embed",
        "small",
        "--api-key-variable",
        "MY_KEY",
    ]
    command += ["--out", str(tmp_path / "out" / "r.jsonl")]
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(FaultServer().start())
    other = loop.run_until_complete(FaultServer(key=OTHER_KEY).start())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        for _ in range(2):  # the second time nothing is left to ask
            monkeypatch.setattr(sys, "argv", [*command, "--base-url", server.url])
            llm_sample.main()
        # Vectors from another host, with its own key; without one, it is sent none.
        (tmp_path / "out" / "r.jsonl.embeddings.npy").unlink()
        monkeypatch.setenv("OTHER_KEY", OTHER_KEY)
        elsewhere = [*command, "--base-url", server.url, "--embed-base-url", other.url]
        monkeypatch.setattr(sys, "argv", elsewhere)
        with pytest.raises(SystemExit):
            llm_sample.main()
        monkeypatch.setattr(sys, "argv", [*elsewhere, "--embed-api-key-variable", "OTHER_KEY"])
        llm_sample.main()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        server.server.close()
        other.server.close()
        loop.close()
    assert server.keys == {f"Bearer {KEY}"} and other.keys == {"Bearer none", f"Bearer {OTHER_KEY}"}
    records = [
        json.loads(line) for line in (tmp_path / "out" / "r.jsonl").read_text().strip("\n").split("\n")
    ]
    assert len(records) == 6 and {r["answer"] for r in records} == {""}
    assert all(r["open_answer"] in SAMPLES and r["format"] == "open" for r in records)
    vectors = np.load(tmp_path / "out" / "r.jsonl.embeddings.npy")
    np.testing.assert_array_equal(vectors, [[len(r["open_answer"]), 1] for r in records])
    assert server.stats["samples asked"] == 6
    assert "6 answers have a vector, 0 samples have no answer" in capsys.readouterr().err
