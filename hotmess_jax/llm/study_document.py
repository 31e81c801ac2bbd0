"""A study as the document of report.json, and back."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from hotmess_jax.documents import SCHEMA, Document, from_json, to_json, upgraded
from hotmess_jax.llm.analyses.catalogue import CATALOGUE, named
from hotmess_jax.llm.cases import Key, module_of
from hotmess_jax.llm.measures.groups import LENGTHS, AlongForm, Conclusion, conclusion_of
from hotmess_jax.llm.study import Missing, SeriesName, Study

# 1 knew results by name alone.
VERSION = 2
# What has conclusions, which schema 1 formed in the report.
ALONG = ("by_length", "wait_ratio", "unit_tests_by", "shares_by", "open_answers")
# What is of clusters of questions, where a field says of which, and once did not say of how many.
CLUSTERED = (*ALONG, "overall", "unit_tests", "shares", "overthinking", "unit_tests_overthinking")
PLAIN = ("models", "series", "questions", "samples", "meanings", "length", "settings")


def to_document(study: Study) -> Document:
    """Return a study as JSON values, its results by name and label.

    Raises:
        ValueError: where a number is none.
    """
    analyses, keys = {}, {}
    for key, results in study.sections():
        kind = result_type(key.analysis)
        analyses[key.name] = {label: to_json(kind, result) for label, result in results.items()}
        keys[key.name] = {"analysis": key.analysis, "metric": key.metric, "field": key.field}
    kinds: dict[str, Any] = {"series": tuple[SeriesName, ...]}
    document: Document = {SCHEMA: VERSION}
    document |= {name: to_json(kinds.get(name, Any), getattr(study, name)) for name in PLAIN}
    document |= {
        "analyses": analyses,
        "keys": keys,
        "missing": to_json(tuple[Missing, ...], study.missing),
    }
    for name in ("records", "provenance"):
        if getattr(study, name) is not None:
            document[name] = to_json(Any, getattr(study, name))
    return document


def from_document(document: Mapping[str, Any]) -> Study:
    """Return the study that a document is of, an older one's too.

    Raises:
        ValueError: for a document of a newer schema, and what is not as the schema has it.
    """
    newest = upgraded(document, VERSION, {1: _with_keys})
    results = {}
    for name, by_label in newest["analyses"].items():
        given = newest["keys"].get(name)
        if given is None:
            raise ValueError(f"keys: nothing says what {name!r} is of")
        for label, result in by_label.items():
            key = Key(given["analysis"], given["metric"], given["field"], label)
            results[key] = from_json(result_type(key.analysis), result)
    plain: dict[str, Any] = {name: newest[name] for name in PLAIN}
    plain["models"], plain["meanings"] = tuple(plain["models"]), tuple(plain["meanings"])
    plain["series"] = from_json(tuple[SeriesName, ...], plain["series"])
    missing = from_json(tuple[Missing, ...], newest["missing"])
    return Study(
        **plain, results=results, missing=missing,
        records=newest.get("records"), provenance=newest.get("provenance"),
    )  # fmt: skip


def result_type(analysis: str) -> Any:
    """Return the type of an analysis' results."""
    return getattr(module_of(named(analysis)), "Result", Any)


def _with_keys(document: Document) -> Document:
    """Bring schema 1 to 2: results are known by keys, and series are told where there is one a model too."""
    metrics = document["settings"].get("metrics", [])
    series = document.get("series")
    if series is None:
        series = [{"label": name, "model": name, "settings": {}, "length": document["length"]}
                  for name in document["models"]]  # fmt: skip
    lengths = [*LENGTHS, *(each["length"] for each in series if each["length"])]
    known = {}
    for analysis in CATALOGUE:
        for metric in metrics if analysis.by_metric else [None]:
            fields = dict.fromkeys([*analysis.fields, *lengths]) if analysis.fields else [None]
            for field in fields:
                key = Key(analysis.name, metric, field, "")
                known[key.name] = {"analysis": key.analysis, "metric": metric, "field": field}
    keys = {name: known[name] for name in document["analyses"] if name in known}
    newer = {**document, "series": series, "meanings": document.get("meanings", []), "keys": keys}
    analyses = _with_counts(document["analyses"], document["questions"])
    for name, given in keys.items():
        if given["analysis"] in CLUSTERED:
            analyses[name] = {label: {"clusters": None} | of for label, of in analyses[name].items()}
        if given["analysis"] in ALONG:
            along = analyses[name].items()
            analyses[name] = {
                label: {**result, "conclusion": asdict(_concluded(result))} for label, result in along
            }
    return newer | {"analyses": analyses}


def _concluded(result: Mapping[str, Any]) -> Conclusion:
    """Return what is concluded of a result along a field, from its forms as JSON values."""
    plugin = from_json(AlongForm, result["plugin"])
    corrected = from_json(AlongForm | None, result["corrected"])
    return conclusion_of(result["metric"], plugin, corrected)


def _with_counts(analyses: Mapping[str, Any], questions: int) -> dict[str, Any]:
    """Return results of schema 1 with what they did not say.

    Args:
        analyses: of the document.
        questions: of the study: early shares of failures did not say how many they were of, and had all.
    """
    newer = dict(analyses)
    for name, by_label in analyses.items():
        if name == "format_failures":
            newer[name] = {label: [_with_count(row, questions) for row in rows]
                           for label, rows in by_label.items()}  # fmt: skip
        elif name == "one_question":
            newer[name] = {label: {"benchmark": None} | of for label, of in by_label.items()}
        elif name.startswith("efficiency_"):
            newer[name] = {label: {"fewer_samples": None} | of for label, of in by_label.items()}
    return newer


def _with_count(row: Document, questions: int) -> Document:
    """Return a row of failures with the number of questions that it and its share are of."""
    number = row.get("questions", questions)
    return {**row, "questions": number, "share": {"questions": number, **row["share"]}}
