"""The report of a study of records, in Markdown."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hotmess_jax.report import interval, number, table

Json = Mapping[str, Any]
CAVEAT = (
    "Incoherence is the share of the error that is inconsistent. It measures neither misalignment nor "
    "quality: a model that is always wrong in the same way has none. Plug-in values grow with "
    "the number of samples; corrected ones do not."
)
DIFFERENCES = ("incoherence", "bias2", "variance", "error", "accuracy")
FORMS = {"plugin": "plug-in", "corrected": "corrected"}


def report(study: Json, drawn: Sequence[str]) -> str:
    """Return a study's report.

    Args:
        study: the document of report.json, with `records` and `provenance`.
        drawn: names of the figures beside it.
    """
    settings = study["settings"]
    source, versions = study["records"], study["provenance"]["versions"]
    where = f" where {' and '.join(source['where'])}" if source["where"] else ""
    lines = [
        "# " + ", ".join(study["models"]),
        f"`{', '.join(source['files'])}`{where}. Made by `experiments.llm_report` at "
        f"{study['provenance']['git_commit']}, JAX {versions['jax']}, Python {versions['python']}.",
        f"{study['samples']:,} samples of {study['questions']:,} questions. Unparsed answers: "
        f"{settings['unparsed']}; smoothing {settings['smoothing']:g}; 95 % intervals over "
        f"{settings['resamples']:,} resamples of the questions; seed {settings['seed']}. "
        + (f"Lengths are `{study['length']}`." if study["length"] else "Lengths are not known."),
        CAVEAT,
    ]
    shown: set[str] = set()
    for name, found in study["analyses"].items():
        prefix = max((p for p in SECTIONS if name.startswith(p)), key=len, default=None)
        if prefix is None or not found:
            continue
        title, text = SECTIONS[prefix]
        kind = name.removeprefix(prefix).strip("_")
        by = " " if title.endswith("against") else ", "
        lines.append(f"## {title}" + (f"{by}{kind.replace('_', ' ')}" if kind else ""))
        lines.append(text(found))
        figures = [name, name.replace("by_length", "bias2_against_variance")]
        for figure in dict.fromkeys(f for f in figures if f in drawn and f not in shown):
            shown.add(figure)
            lines.append(f"![{figure}](figures/{figure}.png)")
    if study["missing"]:
        lines += ["## Left out", _missing(study["missing"])]
    return "\n\n".join(lines) + "\n"


def _cell(value: Json | None) -> str:
    if value is None or value["value"] is None:
        return "–"
    ends = value["ci95"]
    return number(value["value"]) + ("" if ends is None or None in ends else f" {interval(ends)}")


def _at(values: Json, i: int) -> str:
    """Return the cell of one of several values."""
    return _cell({"value": values["value"][i], "ci95": values["ci95"][i]})


def _counts(row: Json) -> list[str]:
    return [str(row["questions"]), str(row["samples"])]


def _overall(found: Mapping[str, Json]) -> str:
    rows = [
        [model if form == "plugin" else "", text, *_counts(result),
         *(_cell(result[form][k]) for k in ("accuracy", "error", "bias2", "variance", "incoherence"))]
        for model, result in found.items()
        for form, text in FORMS.items()
    ]  # fmt: skip
    header = [
        "model",
        "estimate",
        "questions",
        "samples",
        "accuracy",
        "error",
        "bias²",
        "variance",
        "incoherence",
    ]
    return table(header, rows)


def _by_field(found: Mapping[str, Json]) -> str:
    field = next(iter(found.values()))["field"].replace("_", " ")
    rows = []
    for model, result in found.items():
        for form, text in FORMS.items():
            for count, slopes in sorted(result[form]["slopes"].items(), key=lambda item: int(item[0])):
                cells = [
                    _cell(slopes[k])
                    + (f", R² {number(slopes[k]['r2'], 2)}" if slopes[k]["r2"] is not None else "")
                    for k in ("incoherence", "bias2", "variance", "error")
                ]
                rows.append([model, text, *_counts(result), count, *cells])
    conclusions = [f"- {model}: {_conclusion(result)}" for model, result in found.items()]
    header = [
        "model",
        "estimate",
        "questions",
        "samples",
        "groups",
        "incoherence",
        "bias²",
        "variance",
        "error",
    ]
    halves = [
        [model, text, *_counts(result), *(_cell(result[form]["halves"][k]) for k in DIFFERENCES)]
        for model, result in found.items()
        for form, text in FORMS.items()
    ]
    names = ["incoherence", "bias²", "variance", "error", "accuracy"]
    return (
        f"The half of the questions with the higher mean {field}, less the other half.\n\n"
        + table(["model", "estimate", "questions", "samples", *names], halves) + "\n\n"
        f"Slopes in double logarithm against the questions' mean {field}, in groups of equal size; a "
        "slope is missing where a group's value is not above 0.\n\n"
        + table(header, rows) + "\n\n" + "\n".join(conclusions)
    )  # fmt: skip


def _conclusion(result: Json) -> str:
    """Say what the slopes of incoherence, and the difference of the halves, agree on."""
    estimates = []
    for form in FORMS:
        estimates.append(result[form]["halves"]["incoherence"])
        estimates += [slopes["incoherence"] for slopes in result[form]["slopes"].values()]
    intervals = [of["ci95"] for of in estimates if of["value"] is not None and None not in of["ci95"]]
    if not intervals:
        return "nothing can be said of incoherence."
    words = [
        "rises" if low > 0 else "falls" if high < 0 else "is not seen to change"
        for low, high in intervals
    ]
    counts = ", ".join(f"{word} in {words.count(word)}" for word in sorted(set(words)))
    return (
        f"of {len(estimates)} estimates (two halves and {len(estimates) // 2 - 1} numbers of groups, "
        f"plug-in and corrected), {len(intervals)} have an interval: incoherence {counts}."
    )


def _overthinking(found: Mapping[str, Json]) -> str:
    rows = []
    for model, r in found.items():
        cells = [_cell(r[half][k]) for k in ("incoherence", "accuracy") for half in ("short", "long")]
        tests = [
            f"{_cell(r['difference'][k])}, p = {number(r['difference'][k]['p'], 2)}"
            for k in ("incoherence", "accuracy")
        ]
        rows.append(
            [
                model,
                str(r["questions"]),
                str(r["samples"]),
                cells[0],
                cells[1],
                tests[0],
                cells[2],
                cells[3],
                tests[1],
            ]
        )
    header = [
        "model",
        "questions",
        "samples",
        "incoherence, shorter",
        "longer",
        "difference",
        "accuracy, shorter",
        "longer",
        "difference",
    ]
    first = next(iter(found.values()))
    return (
        f"Each question's samples, split at its own median {first['field'].replace('_', ' ')}; p of "
        f"{first['permutations']:,} permutations of the lengths within each question.\n\n"
        + table(header, rows)
    )


def _budgets(found: Mapping[str, Sequence[Json]]) -> str:
    rows = [
        [model, str(row["budget"]), number(row["mean_length"]), *_counts(row),
         *(_cell(row["plugin"][k]) for k in ("accuracy", "incoherence")),
         _cell(row["natural"]["difference"]["incoherence"]) if row["natural"] else "–"]
        for model, budgets in found.items()
        for row in budgets
    ]  # fmt: skip
    return table(
        [
            "model",
            "budget",
            "mean length",
            "questions",
            "samples",
            "accuracy",
            "incoherence",
            "longer less shorter half",
        ],
        rows,
    )


def _topics(found: Mapping[str, Sequence[Json]]) -> str:
    rows = [
        [model, row["topic"], *_counts(row),
         *(_cell(row[k]) for k in ("along", "accuracy", "incoherence"))]
        for model, topics in found.items()
        for row in topics
    ]  # fmt: skip
    return table(
        ["model", "topic", "questions", "samples", "mean length", "accuracy", "incoherence, plug-in"],
        rows,
    )


def _ensembles(found: Mapping[str, Json]) -> str:
    rows = []
    for model, result in found.items():
        used = str(result["samples_a_question"] * result["questions"])
        for i, size in enumerate(result["sizes"]):
            cells = [
                _at(result["corrected"][k], i) for k in ("error", "bias2", "variance", "incoherence")
            ]
            expected = _at(result["expected"]["variance"], i) if "expected" in result else "–"
            rows.append([model, str(size), str(result["questions"]), used, *cells, expected])
    header = [
        "model",
        "E",
        "questions",
        "samples",
        "error",
        "bias²",
        "variance",
        "incoherence",
        "variance by 1/E",
    ]
    return (
        "Means of E samples over disjoint ensembles, corrected for the number of ensembles; plug-in "
        "values are in report.json. By 1/E: the variance of single samples divided by E.\n\n"
        + table(header, rows)
    )


def _efficiency(found: Mapping[str, Json]) -> str:
    rows = []
    for model, r in found.items():
        for i, n in enumerate(r["samples"]):
            cells = [
                f"{number(r[k][i])} ± {number(r[f'{k}_spread'][i], 2)}" for k in ("bias2", "variance")
            ]
            rows.append([model, str(n), str(r["questions"]), *cells])
    draws = next(iter(found.values()))["draws"]
    return f"Plug-in, mean ± standard deviation over {draws} draws.\n\n" + table(
        ["model", "samples a question", "questions", "bias²", "variance"], rows
    )


def _sensitivity(found: Mapping[str, Sequence[Json]]) -> str:
    rows = []
    for model, cases in found.items():
        for case in cases:
            name = f"{case['what']} {case['value']}".strip()
            if "missing" in case:
                rows.append([model, name, "–", "–", case["missing"], ""])
            else:
                cells = [_cell(case[form]["incoherence"]) for form in FORMS]
                rows.append([model, name, str(case["questions"]), str(case["samples"]), *cells])
    return table(
        ["model", "changed", "questions", "samples", "incoherence, plug-in", "corrected"], rows
    )


def _changes(found: Mapping[str, Sequence[Json]]) -> str:
    rows = [
        [model, "all" if row["group"] is None else str(row["group"] + 1), str(row["questions"]),
         number(row["answers"]),
         *(_cell(row.get(k)) for k in ("resampling", "context", "both"))]
        for model, groups in found.items()
        for row in groups
    ]  # fmt: skip
    return (
        "Share of questions whose answer changes at least once; difficulty by the model's own mean "
        "length, 1 the shortest.\n\n"
        + table(
            [
                "model",
                "difficulty",
                "questions",
                "answers a question",
                "under resampling",
                "under a change of context",
                "between any two samples",
            ],
            rows,
        )
    )


def _failures(found: Mapping[str, Sequence[Json]]) -> str:
    rows = [
        [
            model,
            str(row["budget"] or "–"),
            str(row["samples"]),
            str(row["unparsed"]),
            _cell(row["share"]),
        ]
        for model, of in found.items()
        for row in of
    ]
    return table(
        ["model", "budget", "samples", "unparsed", "share (Wilson interval over samples)"], rows
    )


def _one(found: Mapping[str, Json]) -> str:
    lines = []
    for model, r in found.items():
        answers = " ".join(sample["given"] or "–" for sample in r["samples"])
        lines.append(f"- {model}, question {r['question_id']} (right: {r['target']}): {answers}")
    return "The question with most different answers, sample by sample.\n\n" + "\n".join(lines)


def _differences(found: Mapping[str, Json]) -> str:
    rows = [
        [name, str(r["questions"]), _cell(r["plugin"]), _cell(r["corrected"])]
        for name, r in found.items()
    ]
    return "Difference of incoherence on the same questions.\n\n" + table(
        ["models", "questions", "plug-in", "corrected"], rows
    )


def _scaling(found: Mapping[str, Json]) -> str:
    result = found["all models"]
    rows = []
    for row in result["groups"]:
        for form, text in FORMS.items():
            exponents = row[form]["exponents"]
            cells = [
                _cell(exponents[k]) for k in ("accuracy", "error", "bias2", "variance", "incoherence")
            ]
            rows.append([str(row["group"] + 1), text, str(row["questions"]), *cells])
    header = [
        "difficulty",
        "estimate",
        "questions",
        "accuracy",
        "error",
        "bias²",
        "variance",
        "incoherence",
    ]
    return (
        f"Exponents k of value ∝ N^k over {', '.join(result['models'])}; difficulty by the mean length "
        f"of {result['reference']}, 1 the shortest. Intervals are over questions: they hold for these "
        "models.\n\n" + table(header, rows)
    )


def _surface(found: Mapping[str, Json]) -> str:
    result = found["all models"]
    if result["r2"] is None:
        return "A group's incoherence is 0: its logarithm cannot be fitted."
    cells = [_cell(result["coefficients"][k]) for k in ("length", "size", "intercept")]
    return "log incoherence = intercept + a·log length + b·log size.\n\n" + table(
        ["a (length)", "b (size)", "intercept", "R²"], [[*cells, number(result["r2"])]]
    )


def _correlation(found: Mapping[str, Sequence[Json]]) -> str:
    rows = [
        [" and ".join(r["models"]), str(r["questions"]), _cell(r["rho"])] for r in found["all models"]
    ]
    return "Spearman's ρ of the questions' mean lengths.\n\n" + table(
        ["models", "questions", "ρ"], rows
    )


def _missing(missing: Sequence[Json]) -> str:
    models: dict[tuple[str, str], dict[str, None]] = {}
    for row in missing:
        models.setdefault((row["analysis"], row["why"]), {})[row["model"]] = None
    rows = [[analysis, ", ".join(names), why] for (analysis, why), names in models.items()]
    return table(["analysis", "model", "why"], rows)


SECTIONS: dict[str, tuple[str, Callable[[Any], str]]] = {
    "overall": ("Means over questions", _overall),
    "by_length": ("Against length", _by_field),
    "overthinking": ("Longer against shorter samples", _overthinking),
    "by_topic": ("By topic", _topics),
    "by_budget": ("By reasoning budget", _budgets),
    "wait_ratio": ("Against the share of “wait” in the reasoning", _by_field),
    "ensembles": ("Ensembles", _ensembles),
    "efficiency": ("From fewer samples", _efficiency),
    "sensitivity": ("What was decided on the way", _sensitivity),
    "differences": ("Between models", _differences),
    "scaling": ("Scaling by difficulty", _scaling),
    "surface": ("Length and size together", _surface),
    "length_correlation": ("Lengths between models", _correlation),
    "answer_changes": ("Changes of answer", _changes),
    "format_failures": ("Answers that could not be parsed", _failures),
    "one_question": ("One question", _one),
    "unit_tests": ("Unit tests", _overall),
    "unit_tests_by": ("Unit tests against", _by_field),
    "unit_tests_overthinking": ("Unit tests: longer against shorter runs", _overthinking),
    "open_answers": ("Open answers: variance of embeddings against length", _by_field),
}
