"""Speed: what is counted, and the benchmark's command line."""

import json
import math
import subprocess
import sys

import jax
import jax.numpy as jnp
import pytest
from flax import nnx
from places import ROOT
from programs import products

from experiments import benchmark
from hotmess_jax.synthetic.codec import FloatCodec
from hotmess_jax.synthetic.flops import training_flops, update_flops
from hotmess_jax.synthetic.model import Decoder, parse_size
from hotmess_jax.synthetic.rollout import model_policy
from hotmess_jax.synthetic.study import speed


def operations(jaxpr):
    """Count the operations of every product in a program, loops' bodies as often as they run."""
    total = 0
    for equation, times in products(jaxpr):
        (contracted, _), _ = equation.params["dimension_numbers"]
        shape = equation.invars[0].aval.shape
        total += times * 2 * equation.outvars[0].aval.size * math.prod(shape[i] for i in contracted)
    return total


@pytest.mark.parametrize("size", ["3k", "47k"])
def test_operations_are_those_of_the_program(size):
    codec, d = FloatCodec(3), 2
    half = d * codec.tokens_per_number
    model = Decoder(parse_size(size), 2 * half - 1, rngs=nnx.Rngs(0))
    tokens = jnp.zeros((5, 2 * half - 1), jnp.int32)
    forward = operations(jax.make_jaxpr(lambda t: model(t, half - 1))(tokens).jaxpr)
    assert training_flops(parse_size(size), 2 * half - 1, half - 1) == 3 * forward / 5
    policy, keys = model_policy(model, codec, d), jax.random.split(jax.random.key(0), 5)
    decoding = operations(jax.make_jaxpr(policy)(tokens[:, :half], keys).jaxpr) / 5
    assert update_flops(parse_size(size), d, codec.tokens_per_number) == decoding


def test_the_core_needs_no_extra():
    """What an accelerator's machine may lack: the packages of language models."""
    missing = "; ".join(f"sys.modules[{name!r}] = None" for name in ("polars", "openai"))
    modules = "benchmark, grid, scaling_laws, synthetic_sweep"
    code = f"import sys; {missing}; from experiments import {modules}; sys.argv[1:] = ['metrics']; "
    found = subprocess.run([sys.executable, "-c", code + "benchmark.main()"], cwd=ROOT, text=True,
                           capture_output=True)  # fmt: skip
    assert found.returncode == 2
    assert found.stderr == "error: metrics needs the extra llm: pip install -e '.[llm]'\n"


def run(monkeypatch, capsys, *arguments):
    monkeypatch.setattr(speed, "PRODUCT", 64)
    monkeypatch.setattr(speed, "STREAM_BYTES", 2**16)
    monkeypatch.setattr(sys, "argv", ["benchmark", *map(str, arguments)])
    benchmark.main()
    return capsys.readouterr()


def test_one_json_line_a_measurement(monkeypatch, capsys):
    said = run(monkeypatch, capsys, "sweep", "--size", "3k", "--batch", 64, "--starts", 32, "--repeats",
               2, "--replicates", 2, "--compute", "bfloat16", "--json")  # fmt: skip
    train, rollout = map(json.loads, said.out.splitlines())
    assert train["benchmark"] == "train" and rollout["benchmark"] == "rollout"
    assert train["pairs_per_s"] == pytest.approx(2 * 64 / train["median_s"], rel=0.01)
    assert rollout["updates_per_s"] == pytest.approx(32 / rollout["median_s"], rel=0.01)
    for row in (train, rollout):
        assert row["compute"] == "bfloat16"
        assert row["spread_s"][0] <= row["median_s"] <= row["spread_s"][1] and row["compile_s"] > 0
        share = row["flops_per_s"] / row["matrix_flops_per_s"]
        assert row["share_of_matrix_rate"] == pytest.approx(share)
    assert "the paper preset's 3k at these rates" in said.err


def test_data_is_measured_and_nothing_is_left(tmp_path, monkeypatch, capsys):
    said = run(monkeypatch, capsys, "data", "--preset", "smoke", "--batches", 30, "--folder", tmp_path)
    assert "data smoke" in said.out and "loader pairs/s" in said.out
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train", "--size", "huge"], "huge"),
        (["rollout", "--starts", "0"], "starts must be at least 1, got 0"),
        (["sweep", "--precision", "9"], "precision must be 1 to 5, got 9"),
        (["train", "--attention", "cudnn"], "this machine's platform is cpu, compute is float32"),
        (["data", "--preset", "big"], "unknown preset 'big'"),
        (["metrics", "--questions", "1"], "questions must be at least 2, got 1"),
    ],
)
def test_what_cannot_be_measured_is_refused(arguments, said, monkeypatch, capsys):
    with pytest.raises(SystemExit) as stop:
        run(monkeypatch, capsys, *arguments)
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert said in error and len(error.strip().splitlines()) == 1
