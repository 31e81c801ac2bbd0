"""Logs of other harnesses, made by hand."""

import json

# lm-evaluation-harness 0.4.13 wrote lines of this form.


def generated(doc_id, responses, doc=None, filter_name="none", **more):
    doc = doc or {"question": f"Question {doc_id}?", "choices": ["w", "x", "y", "z"], "answer": 1}
    arguments = {"gen_args_0": {"arg_0": "…", "arg_1": {"until": ["\n"], "temperature": 0.7}}}
    return {"doc_id": doc_id, "doc": doc, "target": "B", "arguments": arguments, "resps": [responses],
            "filtered_resps": responses[:1], "filter": filter_name, **more}  # fmt: skip


def likelihoods(doc_id, values, doc=None):
    doc = doc or {"question": f"Question {doc_id}?", "choices": ["w", "x", "y", "z"], "answer": 1}
    arguments = {f"gen_args_{i}": {"arg_0": "…", "arg_1": f" {o}"} for i, o in enumerate("ABCD")}
    return {"doc_id": doc_id, "doc": doc, "target": "1", "arguments": arguments,
            "resps": [[[str(value), "False"]] for value in values], "filter": "none"}  # fmt: skip


def scored(doc_id, doc, texts, values, target, context="…", **more):
    """A row of log-likelihoods of options, as the harness writes it."""
    arguments = {
        f"gen_args_{i}": {"arg_0": context, "arg_1": f" {text}"} for i, text in enumerate(texts)
    }
    return {"doc_id": doc_id, "doc": doc, "target": target, "arguments": arguments,
            "resps": [[[str(value), "False"]] for value in values], "filter": "none", **more}  # fmt: skip


TIME = "2026-11-23T15-49-05.445376"


def write_samples(folder, rows, task="tiny", model="gpt-x", time=TIME, **results):
    """A file of samples, and the results beside it, of which `results` are more."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"samples_{task}_{time}.jsonl"
    path.write_text("".join(row if isinstance(row, str) else json.dumps(row) + "\n" for row in rows))
    if model or results:
        found = {"config": {"model": "hf"}} | ({"model_name": model} if model else {}) | results
        (folder / f"results_{time}.json").write_text(json.dumps({"results": {}} | found))
    return path


# Inspect.


def score(value="C", answer="B", explanation=None):
    return {"value": value, "answer": answer, "explanation": explanation}


def sample(i, epoch=1, scores=None, **more):
    base = {
        "id": i,
        "epoch": epoch,
        "input": f"Question {i}?",
        "choices": ["w", "x", "y"],
        "target": "B",
        "messages": [{"role": "user", "content": "?"}, {"role": "assistant", "content": "B"}],
        "output": {
            "model": "m",
            "choices": [{"message": {"role": "assistant", "content": "B"}, "stop_reason": "stop"}],
        },
        "scores": {"choice": score()} if scores is None else scores,
        "metadata": {"subject": "law"},
        "model_usage": {
            "m": {"input_tokens": 5, "output_tokens": 7, "reasoning_tokens": 3, "total_tokens": 12}
        },
    }
    return base | more


def inspect_log(samples, status="success"):
    return {
        "version": 2,
        "status": status,
        "eval": {
            "run_id": "r", "created": "2026-01-01T00:00:00+00:00", "task": "quiz", "task_id": "t",
            "dataset": {"name": "d", "samples": len(samples)}, "model": "openai/gpt-x", "config":
            {"epochs": 2},
            "model_generate_config": {"temperature": 0.5, "reasoning_effort": "low"},
        },
        "plan": {"name": "plan", "steps": [], "config": {}},
        "samples": samples,
    }  # fmt: skip


def write_log(path, samples, status="success"):
    path.write_text(json.dumps(inspect_log(samples, status)))
    return path


# SWE-bench.


def report(fixed=("f1",), kept=("p1", "p2"), failed=()):
    status = {
        kind: {
            "success": [n for n in names if n not in failed],
            "failure": [n for n in names if n in failed],
        }
        for kind, names in (("FAIL_TO_PASS", fixed), ("PASS_TO_PASS", kept))
    }
    return {"patch_successfully_applied": True, "resolved": not failed, "tests_status": status}


UNAPPLIED = {"patch_exists": True, "patch_successfully_applied": False, "resolved": False}


def write_run(run, reports):
    for task, content in reports.items():
        folder = run / "my-model" / task
        folder.mkdir(parents=True)
        text = content if isinstance(content, str) else json.dumps(content)
        (folder / "report.json").write_text(text)
    return run
