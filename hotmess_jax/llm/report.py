"""The report of a study of records, in Markdown."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hotmess_jax.llm.analyses.budgets import not_kept
from hotmess_jax.llm.origins_report import origins_section
from hotmess_jax.llm.repeat_tables import clusters_note, differences_section, repeats_section
from hotmess_jax.llm.study_figures import setting_file
from hotmess_jax.presentation.tables import table
from hotmess_jax.presentation.words import interval, number
from hotmess_jax.statistics.intervals import FEW

Json = Mapping[str, Any]
CAVEAT = (
    "Incoherence is the share of the error that is inconsistent. It measures neither misalignment nor "
    "quality: a model that is always wrong in the same way has none. Plug-in values grow with the number "
    "of samples. Brier's corrected values do not, at any number, and lead. KL is the paper's measure, and "
    "nothing is unbiased for it: its plug-in values are of equal numbers of samples, and its corrected ones "
    "are given only where they were right of data sets drawn from these very answers. Error, bias² and variance "
    "are better lower (Brier's are 0 to 2, KL's in nats, those of unit tests 0 to 1), accuracy is better higher, "
    "and of incoherence neither end is better."
)
DIFFERENCES = ("incoherence", "bias2", "variance", "error", "accuracy")
NAMED = {"bias2": "bias²"}
FORMS = {"plugin": "plug-in", "corrected": "corrected"}


def report(study: Json, drawn: Sequence[str]) -> str:
    """Return a study's report.

    Args:
        study: the document of report.json, with `records` and `provenance`.
        drawn: names of the figures beside it.
    """
    settings = study["settings"]
    over = "the questions" if settings["cluster"] is None else "whole clusters of questions"
    source, versions = study["records"], study["provenance"]["versions"]
    where = f" where {' and '.join(source['where'])}" if source["where"] else ""
    lines = [
        "# " + ", ".join(study["models"]),
        f"`{', '.join(source['files'])}`{where}. Made by `experiments.llm_report` at "
        f"{study['provenance']['git_commit']}, JAX {versions['jax']}, Python {versions['python']}.",
        f"{study['samples']:,} samples of {study['questions']:,} questions. Unparsed answers: "
        f"{settings['unparsed']}; smoothing {settings['smoothing']:g}; 95 % intervals over "
        f"{over}; seed {settings['seed']}. " + _lengths(study["series"]),
        *_clusters(study),
        CAVEAT,
        *study["meanings"],
    ]
    if origins := source.get("origins"):
        lines.append(origins_section(origins))
    if any(series["settings"] for series in study["series"]):
        lines.append(
            "Samples of different settings are not pooled: each row is of one model at one setting."
        )
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
        figures = [
            name,
            name.replace("by_length", "bias2_against_variance"),
            *(setting_file(name, of) for of in found),
        ]
        for figure in dict.fromkeys(f for f in figures if f in drawn and f not in shown):
            shown.add(figure)
            lines.append(f"![{figure}](figures/{figure}.png)")
    if study["missing"]:
        lines += ["## Left out", _missing(study["missing"])]
    return "\n\n".join(lines) + "\n"


def _clusters(study: Json) -> list[str]:
    """Say over how many clusters of questions intervals are; nothing where they are over questions."""
    field = study["settings"]["cluster"]
    if field is None:
        return []
    numbers = [(of["label"], of["clusters"]) for of in study["series"] if of["clusters"] is not None]
    return [f"{label}: {clusters_note(field, number)}" for label, number in numbers]


def _lengths(series: Sequence[Json]) -> str:
    """Say what lengths are, of each series where they differ."""
    known = {one["label"]: one["length"] for one in series}
    if not any(known.values()):
        return "Lengths are not known."
    if len(set(known.values())) == 1:
        return f"Lengths are `{next(iter(known.values()))}`."
    each = (f"{(length and f'`{length}`') or 'not known'} ({label})" for label, length in known.items())
    return f"Lengths are {', '.join(each)}."


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
    told = any(result["contexts"] and result["contexts"]["questions"] for result in found.values())
    rows = []
    for model, result in found.items():
        for form, text in FORMS.items():
            cells = [
                _cell(result[form][k])
                for k in ("accuracy", "error", "bias2", "variance", "incoherence")
            ]
            if told:
                contexts = (result["contexts"] or {}) if form == "corrected" else {}
                cells[4:4] = [_cell(contexts.get(part)) for part in ("between", "within")]
            effective = number(result["effective_questions"])
            rows.append([model if form == "plugin" else "", text, *_counts(result), effective, *cells])
    header = [
        "model",
        "estimate",
        "questions",
        "samples",
        "effective questions",
        "accuracy",
        "error",
        "bias²",
        "variance",
        *(["between contexts", "within contexts"] if told else []),
        "incoherence",
    ]
    notes = [
        f"- {model}: {note}"
        for model, result in found.items()
        if (note := " ".join(overall_notes(result, result["questions"])))
    ]
    effective = (
        "Effective questions: how many of equal error would hold it as these do; what is divided by the "
        "error hangs on them."
    )
    return "\n\n".join(filter(None, [table(header, rows), effective, "\n".join(notes)]))


def overall_notes(result: Json, questions: int) -> list[str]:
    """Say what must be known of a group's values: what they are of, and what there is none of.

    Args:
        result: of `analysis.overall`, or of `analysis.metric_summary`.
        questions: how many it is of.
    """
    notes = []
    if result["kl_samples"] is not None:
        notes.append(f"Plug-in values are of {result['kl_samples']} samples a question.")
        if step := result.get("stated_step"):
            notes.append(
                f"Probabilities were stated in steps of {step:g}: KL takes none for less than {step / 2:g}."
            )
    if result["no_corrected"] is not None:
        notes.append(f"{result['no_corrected']}.")
    effective = result["effective_questions"]
    if effective == 0:
        notes.append("No question has an error: there is none to divide, and no incoherence.")
    elif effective < FEW:
        notes.append(
            f"Warning: about {number(effective, 2)} of {questions} questions hold the error; other questions "
            "of the same kind may give quite another incoherence."
        )
    return [*notes, *filter(None, [contexts_note(result["contexts"], questions)])]


def contexts_note(contexts: Json | None, questions: int) -> str:
    """Say where the corrected form could not tell contexts apart; nothing where it could."""
    if contexts is None:
        return ""
    notes = []
    if contexts["one_context"]:
        notes.append(
            f"{contexts['one_context']} of {questions} questions have one context: corrected, their "
            "samples are taken as independent, and the variance is that within it."
        )
    if contexts["one_sample_each"]:
        notes.append(
            f"{contexts['one_sample_each']} of {questions} questions have one sample a context: "
            "corrected, their variance is whole, but not told apart."
        )
    return " ".join(notes)


def _forms(result: Json) -> list[tuple[str, str]]:
    """Return the forms that a result has, the corrected one first."""
    return [(form, FORMS[form]) for form in ("corrected", "plugin") if result[form] is not None]


def _by_field(found: Mapping[str, Json], shown: Sequence[str] = DIFFERENCES) -> str:
    """Return differences of halves, and slopes against a field.

    Args:
        found: each model's result.
        shown: what is told of it: all, or of embeddings, which have nothing else, the variance.
    """
    slopes_of = [name for name in shown if name != "accuracy"]
    decides = "incoherence" if "incoherence" in shown else "variance"
    field = " or ".join(dict.fromkeys(r["field"].replace("_", " ") for r in found.values()))
    rows, halves = [], []
    for model, result in found.items():
        for form, text in _forms(result):
            for count, slopes in sorted(result[form]["slopes"].items(), key=lambda item: int(item[0])):
                cells = [
                    _cell(slopes[k])
                    + (f", R² {number(slopes[k]['r2'], 2)}" if slopes[k]["r2"] is not None else "")
                    for k in slopes_of
                ]
                rows.append([model, text, *_counts(result), count, *cells])
            cells = [_cell(result[form]["halves"][k]) for k in shown]
            halves.append([model, text, *_counts(result), *cells])
    first = ["model", "estimate", "questions", "samples"]
    notes = [f"- {model}: {' '.join(_field_notes(result, decides))}" for model, result in found.items()]
    return "\n\n".join([
        f"The half of the questions with the higher mean {field}, less the other half. Which half a question "
        "is in is said by some of its samples, and what is measured by the others, over "
        f"{next(iter(found.values()))['splits']} splits both ways: samples that say both make differences "
        "out of noise. Few samples say a question's length badly, which brings differences and slopes nearer "
        "to 0.",
        table([*first, *(NAMED.get(name, name) for name in shown)], halves),
        f"Slopes k of value ∝ (mean {field})^k through groups of equal size, of ten questions at least.",
        table([*first, "groups", *(NAMED.get(name, name) for name in slopes_of)], rows),
        "\n".join(notes),
    ])  # fmt: skip


def _open_answers(found: Mapping[str, Json]) -> str:
    """Vectors of answers that nothing is right among have a variance, and nothing else."""
    return _by_field(found, ("variance",))


def _field_notes(result: Json, decides: str) -> list[str]:
    """Say what is concluded, and what must be known of it."""
    notes = [_conclusion(result, decides)]
    if result["no_corrected"]:
        notes.append(f"{result['no_corrected']}.")
    notes.append(f"Plug-in values are of {result['plugin_samples']} samples a question.")
    if result["too_few"]:
        notes.append(f"{result['too_few']} questions have fewer than four samples, and are left out.")
    if result["without_field"]:
        notes.append(f"Questions without {result['field']}: {result['without_field']}.")
    if result["shared_contexts"]:
        notes.append(
            f"{result['shared_contexts']} questions have two or three contexts: the samples that say how long "
            "they are share them with those that are measured, which may still make a difference by chance."
        )
    return notes


def _conclusion(result: Json, name: str) -> str:
    """Say what slopes and halves of incoherence, or of another part, agree on, in the leading form."""
    form, text = _forms(result)[0]
    estimates = [result[form]["halves"][name]]
    estimates += [slopes[name] for slopes in result[form]["slopes"].values()]
    intervals = [of["ci95"] for of in estimates if of["value"] is not None and None not in of["ci95"]]
    if not intervals:
        return f"nothing can be said of {name}."
    words = [
        "rises" if low > 0 else "falls" if high < 0 else "is not seen to change"
        for low, high in intervals
    ]
    counts = ", ".join(f"{word} in {words.count(word)}" for word in sorted(set(words)))
    return (
        f"of {len(estimates)} {text} estimates (halves, and slopes in groups: {len(estimates) - 1}; of the "
        f"same samples), {len(intervals)} have an interval: {name} {counts}."
    )


def _overthinking(found: Mapping[str, Json]) -> str:
    rows, notes = [], []
    for model, r in found.items():
        forms = _forms(r)
        for form, text in forms:
            cells = []
            for name in ("incoherence", "accuracy"):
                p = r["test"][name]["p"] if form == forms[0][0] else None
                tested = "" if p is None else f", p = {number(p, 2)}"
                cells += [_cell(r[form][half][name]) for half in ("short", "long")]
                cells.append(_cell(r[form]["difference"][name]) + tested)
            rows.append([model, text, *_counts(r), *cells])
        said = []
        if r["no_corrected"]:
            said.append(f"{r['no_corrected']}.")
        if r["contexts"]:
            said.append(f"Of {r['contexts']} questions whole contexts are permuted.")
        if r["one_context_halves"]:
            said.append(
                f"Of {r['one_context_halves']} questions of several contexts a half is of one: corrected, its "
                "samples are taken as independent."
            )
        if said:
            notes.append(f"- {model}: {' '.join(said)}")
    header = [
        "model",
        "estimate",
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
    field = " or ".join(dict.fromkeys(r["field"].replace("_", " ") for r in found.values()))
    return "\n\n".join(
        filter(
            None,
            [
                f"Each question's samples, split at its own median {field}; p of "
                f"{first['permutations']:,} permutations of the lengths within each question. The test rejects "
                "that lengths say nothing of the answers, not that incoherence is equal: that is what the "
                "difference's interval is about.",
                table(header, rows),
                "\n".join(notes),
            ],
        )
    )


def _budgets(found: Mapping[str, Sequence[Json]]) -> str:
    rows = [
        [model, "none" if row["budget"] is None else str(row["budget"]), number(row["reasoning_tokens"]),
         not_kept(row) or "–", number(row["mean_length"]), *_counts(row), *cells]
        for model, budgets in found.items()
        for row in budgets
        for cells in _budget_cells(row)
    ]  # fmt: skip
    header = [
        "model",
        "budget asked for",
        "reasoning tokens measured",
        "not kept",
        "mean length",
        "questions",
        "samples",
        "estimate",
        "accuracy",
        "incoherence",
        "less the budget before",
        "longer less shorter half",
    ]
    parts = any(not_kept(row) for budgets in found.values() for row in budgets)
    warning = "Budgets are what was asked for, and were not all kept; lengths are what was measured. "
    return (
        (warning if parts else "")
        + "A budget's incoherence less that of the budget before it, on shared questions, beside the difference "
        "within the budget. Halves have half as many samples: only corrected differences are of one kind.\n\n"
        + table(header, rows)
    )


def _budget_cells(row: Json) -> list[list[str]]:
    """Return a budget's estimates, form by form, or why there is none."""
    if "missing" in row:
        return [["–", row["missing"], "–", "–", "–"]]
    forms = [form for form in ("corrected", "plugin") if row[form]["incoherence"]["value"] is not None]
    cells = []
    for form in forms or ["plugin"]:
        natural = row["natural"] and row["natural"][form]
        cells.append(
            [FORMS[form], *(_cell(row[form][k]) for k in ("accuracy", "incoherence")),
             _cell(row["more"] and row["more"][form]),
             _cell(natural["difference"]["incoherence"]) if natural else "–"]
        )  # fmt: skip
    return cells


def _labels(found: Mapping[str, Sequence[Json]]) -> str:
    """Return the table of topics, or of a benchmark's difficulties."""
    label = (
        "difficulty" if any("difficulty" in row for rows in found.values() for row in rows) else "topic"
    )
    rows = []
    for model, labels in found.items():
        for row in labels:
            forms = [form for form in ("corrected", "plugin")
                     if row[form]["incoherence"]["value"] is not None] or ["plugin"]  # fmt: skip
            for form in forms:
                cells = [
                    _cell(row["along"]),
                    *(_cell(row[form][k]) for k in ("accuracy", "incoherence")),
                ]
                rows.append([model, row[label], FORMS[form], *_counts(row), *cells])
    lengths = dict.fromkeys(row["length"].replace("_", " ") for of in found.values() for row in of)
    mean = f"mean {' or '.join(lengths)}"
    header = ["model", label, "estimate", "questions", "samples", mean, "accuracy", "incoherence"]
    return table(header, rows)


def _ensembles(found: Mapping[str, Json]) -> str:
    rows = []
    for model, result in found.items():
        used = str(result["samples_a_question"] * result["questions"])
        for i, size in enumerate(result["sizes"]):
            expected = _at(result["expected"]["variance"], i) if "expected" in result else "–"
            for form, text in FORMS.items():
                cells = [_at(result[form][k], i) for k in ("error", "bias2", "variance", "incoherence")]
                if result[form]["variance"]["value"][i] is None:
                    continue
                count = str(result["ensembles"][i] if form == "corrected" else result["compared"])
                law = expected if form == "corrected" else ""
                rows.append(
                    [model, str(size), text, count, str(result["questions"]), used, *cells, law]
                )
    notes = [
        f"- {model}, E = {size}: {why}."
        for model, result in found.items()
        for size, why in zip(result["sizes"], result["no_corrected"], strict=True)
        if why is not None
    ]
    header = [
        "model",
        "E",
        "estimate",
        "ensembles",
        "questions",
        "samples",
        "error",
        "bias²",
        "variance",
        "incoherence",
        "variance by 1/E",
    ]
    return (
        "Means of E samples over disjoint ensembles, drawn at random over all contexts "
        f"{next(iter(found.values()))['draws']} times. Plug-in values hang on how many ensembles are "
        "compared: they are of as many at every size, and there are none where fewer than six fit. By 1/E: "
        "the corrected variance of single samples divided by E.\n\n"
        + "\n\n".join(filter(None, [table(header, rows), "\n".join(notes)]))
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
    return (
        f"Plug-in, mean over {draws} draws from the samples there are, up to half of them, ± the standard "
        "deviation between sets of so many new samples of the same questions.\n\n"
        + table(["model", "samples a question", "questions", "bias²", "variance"], rows)
    )


def _left_out(found: Mapping[str, Sequence[Json]]) -> str:
    rows = [
        [model, row["group"], str(row["questions"]), str(row["left_out"]), number(row["accuracy"])]
        for model, groups in found.items()
        for row in groups
    ]
    return (
        "Questions with fewer than two samples that count are in no number below, accuracy included. "
        "Accuracy: the share of all samples that are right, over the questions left out.\n\n"
        + table(["model", "how hard", "questions", "left out", "their accuracy"], rows)
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
    kinds = ("resampling", "context", "both", "within", "between", "effect")
    rows = [
        [model, _difficulty(row["group"]), str(row["questions"]), number(row["answers"]),
         *(_cell(row.get(k)) for k in kinds)]
        for model, groups in found.items()
        for row in groups
    ]  # fmt: skip
    labelled = any(isinstance(row["group"], str) for rows_of in found.values() for row in rows_of)
    by = (
        "as the benchmark has it"
        if labelled
        else "by the model's own mean length, 1 the shortest; some samples say it, the others are compared"
    )
    return (
        "Share of questions whose answer changes at least once: within a context, between the majority "
        "answers of the contexts, and between any two samples. These grow with the number of answers that are "
        "compared, also where contexts have no effect. How often two answers differ does not: of the same context, "
        f"of two contexts, and what contexts add to it. Difficulty {by}.\n\n"
        + table(
            [
                "model",
                "difficulty",
                "questions",
                "answers a question",
                "changes under resampling",
                "under a change of context",
                "between any two samples",
                "two of the same context differ",
                "two of different contexts",
                "effect of contexts",
            ],
            rows,
        )
    )


def _difficulty(group: int | str | None) -> str:
    return "all" if group is None else str(group + 1) if isinstance(group, int) else group


def _failures(found: Mapping[str, Sequence[Json]]) -> str:
    rows = [
        [
            model,
            str(row["budget"] or "–"),
            str(row["questions"]),
            str(row["samples"]),
            str(row["unparsed"]),
            _cell(row["share"]),
        ]
        for model, of in found.items()
        for row in of
    ]
    header = ["model", "budget", "questions", "samples", "unparsed", "share (interval over questions)"]
    return table(header, rows)


def _one(found: Mapping[str, Json]) -> str:
    lines = []
    for model, r in found.items():
        answers = " ".join(sample["given"] or "–" for sample in r["samples"])
        lines.append(f"- {model}, question {r['question_id']} (right: {r['target']}): {answers}")
    return "The question with most different answers, sample by sample.\n\n" + "\n".join(lines)


def _scaling(found: Mapping[str, Json]) -> str:
    return "\n\n".join(_titled(name, _scaling_of(result)) for name, result in found.items())


def _titled(name: str, text: str) -> str:
    """Return what is of all models of a setting, under the setting where there are several."""
    setting = name.removeprefix("all models").removeprefix(", ")
    return f"### {setting}\n\n{text}" if setting else text


def _scaling_of(result: Json) -> str:
    rows = []
    for row in result["groups"]:
        effective = ", ".join(number(of, 2) for of in row["effective_questions"])
        for form, text in _forms(row):
            exponents = row[form]["exponents"]
            cells = [
                _cell(exponents[k]) for k in ("accuracy", "error", "bias2", "variance", "incoherence")
            ]
            rows.append([str(row["group"] + 1), text, str(row["questions"]), effective, *cells])
    header = [
        "difficulty",
        "estimate",
        "questions",
        "effective questions",
        "accuracy",
        "error",
        "bias²",
        "variance",
        "incoherence",
    ]
    few = any(of < FEW for row in result["groups"] for of in row["effective_questions"])
    notes = [
        f"Exponents k of value ∝ N^k over {', '.join(result['models'])}, fitted to sums over questions; "
        f"difficulty by the mean length of {result['reference']}, 1 the shortest, from other samples than those "
        "that are measured. Intervals are over questions: they hold for these models. Effective questions: how "
        "many of equal error would hold each model's own.",
        table(header, rows),
        f"Plug-in values are of {result['plugin_samples']} samples a question."
        + (f" {result['no_corrected']}." if result["no_corrected"] else ""),
    ]
    if few:
        notes.append(
            f"Warning: fewer than {FEW} questions hold some model's error; other questions of the same kind may "
            "give quite other exponents."
        )
    return "\n\n".join(notes)


def _surface(found: Mapping[str, Json]) -> str:
    return "\n\n".join(_titled(name, _surface_of(result)) for name, result in found.items())


def _surface_of(result: Json) -> str:
    if result["r2"] is None:
        return "No plane could be fitted: nothing varies, or all error is of one group."
    cells = [_cell(result["coefficients"][k]) for k in ("length", "size", "intercept")]
    effective = ", ".join(number(of, 2) for of in result["effective_questions"])
    return (
        f"log incoherence ({FORMS[result['form']]}) = intercept + a·log length + b·log size, fitted to sums over "
        f"questions in {result['groups']} groups a model, by the lengths of other samples than those that are "
        "measured. A question counts as one for all models. Few samples say a question's length badly, which "
        f"brings a nearer to 0. Effective questions, a model each: {effective}.\n\n"
        + table(["a (length)", "b (size)", "intercept", "R²"], [[*cells, number(result["r2"])]])
    )


def _correlation(found: Mapping[str, Sequence[Json]]) -> str:
    rows = [
        [" and ".join(r["models"]), " and ".join(dict.fromkeys(r["fields"])), str(r["questions"]),
         _cell(r["rho"]), " and ".join(number(of, 2) for of in r["reliabilities"]),
         _cell(r["corrected"])]
        for of_setting in found.values()
        for r in of_setting
    ]  # fmt: skip
    return (
        "Spearman's ρ of the questions' mean lengths. Means of few samples are noisy, and ρ low by it: corrected, "
        "it is divided by the root of both models' reliabilities.\n\n"
        + table(["models", "length", "questions", "ρ", "reliabilities", "ρ corrected"], rows)
    )


def _missing(missing: Sequence[Json]) -> str:
    models: dict[tuple[str, str], dict[str, None]] = {}
    for row in missing:
        models.setdefault((row["analysis"], row["why"]), {})[row["model"]] = None
    rows = [[analysis, ", ".join(names), why] for (analysis, why), names in models.items()]
    return table(["analysis", "model", "why"], rows)


SECTIONS: dict[str, tuple[str, Callable[[Any], str]]] = {
    "left_out": ("Questions left out", _left_out),
    "overall": ("Means over questions", _overall),
    "repeats": ("Right in k samples", repeats_section),
    "by_length": ("Against length", _by_field),
    "overthinking": ("Longer against shorter samples", _overthinking),
    "by_topic": ("By topic", _labels),
    "by_difficulty": ("By the benchmark's difficulty", _labels),
    "by_budget": ("By reasoning budget", _budgets),
    "wait_ratio": ("Against the share of “wait” in the reasoning", _by_field),
    "ensembles": ("Ensembles", _ensembles),
    "efficiency": ("From fewer samples", _efficiency),
    "sensitivity": ("What was decided on the way", _sensitivity),
    "differences": ("Differences", differences_section),
    "scaling": ("Scaling by difficulty", _scaling),
    "surface": ("Length and size together", _surface),
    "length_correlation": ("Lengths between models", _correlation),
    "answer_changes": ("Changes of answer", _changes),
    "answer_changes_by_difficulty": ("Changes of answer by the benchmark's difficulty", _changes),
    "format_failures": ("Answers that could not be parsed", _failures),
    "one_question": ("One question", _one),
    "shares": ("Outcomes between 0 and 1", _overall),
    "shares_by": ("Outcomes between 0 and 1, against", _by_field),
    "unit_tests": ("Unit tests", _overall),
    "unit_tests_by": ("Unit tests against", _by_field),
    "unit_tests_overthinking": ("Unit tests: longer against shorter runs", _overthinking),
    "open_answers": ("Open answers: variance of embeddings against length", _open_answers),
}
