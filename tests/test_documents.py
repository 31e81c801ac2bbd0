"""Documents: written and read in one place, older ones upgraded, newer ones refused by name."""

import json
from dataclasses import dataclass

import pytest
from places import ROOT

from hotmess_jax.documents import Exact, from_json, schema_of, to_json, upgraded
from hotmess_jax.llm.analyses.catalogue import CATALOGUE, named
from hotmess_jax.llm.report import report
from hotmess_jax.llm.study_document import VERSION, from_document, to_document
from hotmess_jax.statistics.estimate import Estimate, Interval

COMMITTED = sorted((ROOT / "results").glob("*/report.json"))


@dataclass(frozen=True, slots=True)
class Pair:
    name: str
    values: tuple[float | None, ...]


def test_a_dataclass_comes_back_as_it_was():
    pair = Pair("a", (0.1, None, 1e300))
    document = to_json(Pair, pair)
    assert document == {"name": "a", "values": [0.1, None, 1e300]}
    assert from_json(Pair, json.loads(json.dumps(document))) == pair
    assert schema_of(Pair)["required"] == ["name", "values"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Named(Exact):
    name: str
    error: float | None
    rise: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wider(Named):
    parts: tuple[Named, ...] = ()


def test_an_exact_form_has_its_names_and_no_other_also_within_others():
    wide = Wider(name="a", error=None, parts=(Named(name="b", error=None, rise=0.5),))
    document = to_json(Wider, wide)
    # A default of None is left out; what has no default is written also where it is None.
    parts = [{"name": "b", "error": None, "rise": 0.5}]
    assert document == {"name": "a", "error": None, "parts": parts}
    assert from_json(Wider, json.loads(json.dumps(document))) == wide
    assert schema_of(Wider)["additionalProperties"] is False
    with pytest.raises(ValueError, match=r"Wider: parts.0.riese: Unexpected"):
        from_json(Wider, document | {"parts": [{"name": "b", "error": None, "riese": 0.5}]})
    with pytest.raises(ValueError, match="Wider: error: "):
        from_json(Wider, {"name": "a"})


@dataclass(frozen=True, slots=True)
class Share:
    share: Estimate
    other: Estimate | None = None


@pytest.mark.parametrize("ends", [None, Interval(None, 0.7), Interval(None, None), Interval(0.25, 1.0)])
def test_estimates_keep_their_form(ends):
    share = Share(Estimate(0.5, ends, "questions", 12))
    document = to_json(Share, share)
    told = None if ends is None else [ends.low, ends.high]
    assert document == {"share": {"value": 0.5, "ci95": told, "questions": 12}, "other": None}
    assert from_json(Share, json.loads(json.dumps(document))) == share


@pytest.mark.parametrize(
    ("share", "said"),
    [
        (
            {"value": 0.5, "ci95": [0, 1], "draws": 2, "sizes": 3},
            "an estimate has a value, ci95 and one of draws",
        ),
        (
            {"value": 0.5, "ci95": [0, 1], "draws": "two"},
            "an estimate has a value, ci95 and one of draws",
        ),
        ({"value": 0.5, "questions": 3}, "an estimate has a value and ci95"),
        ({"ci95": [0, 1], "questions": 3}, "an estimate has a value"),
        ({"value": None, "ci95": None, "questions": 3}, "an estimate has a value"),
        ({"value": 0.5, "ci95": [0], "questions": 3}, "an interval is two numbers"),
        ({"value": 0.5, "ci95": ["a", 1], "questions": 3}, "an interval is two numbers"),
    ],
)
def test_what_is_no_estimate_is_refused(share, said):
    with pytest.raises(ValueError, match=f"Share: share: Value error, {said}"):
        from_json(Share, {"share": share})


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_what_is_no_number_is_an_error_and_not_null(number):
    with pytest.raises(ValueError, match="Pair cannot be written as JSON"):
        to_json(Pair, Pair("a", (number,)))


def test_what_is_not_of_the_type_is_refused_by_name():
    with pytest.raises(ValueError, match=r"Pair: values\.1: Input should be a valid number"):
        from_json(Pair, {"name": "a", "values": [1.0, "x"]})
    with pytest.raises(ValueError, match="Pair: name: Field required"):
        from_json(Pair, {"values": []})


def test_older_documents_are_upgraded_step_by_step_and_newer_ones_refused():
    steps = {
        1: lambda found: {**found, "b": found["a"] + 1},
        2: lambda found: {**found, "c": found["b"] + 1},
    }
    assert upgraded({"a": 1}, 3, steps) == {"a": 1, "b": 2, "c": 3, "schema": 3}
    assert upgraded({"schema": 3, "a": 1}, 3, steps) == {"schema": 3, "a": 1}
    with pytest.raises(
        ValueError, match="the document is of schema 4, and this version of hotmess_jax reads 3"
    ):
        upgraded({"schema": 4}, 3, steps)
    with pytest.raises(ValueError, match="schema must be a number from 1 on, got 'two'"):
        upgraded({"schema": "two"}, 3, steps)


def holds(found, given):
    """Whether a document has all that another has, and perhaps more names."""
    if isinstance(given, dict):
        return all(name in found and holds(found[name], value) for name, value in given.items())
    if isinstance(given, list):
        return len(found) == len(given) and all(map(holds, found, given))
    return found == given


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.parent.name)
def test_committed_reports_are_read_and_nothing_in_them_is_lost(path):
    document = json.loads(path.read_text())
    made = from_document(document)
    assert {key.name for key in made.results} == {
        name for name, of in document["analyses"].items() if of
    }
    assert {key.analysis for key in made.results} <= {analysis.name for analysis in CATALOGUE}
    again = to_document(made)
    assert again["schema"] == VERSION
    for name in document["analyses"]:
        assert holds(again["analyses"].get(name, {}), document["analyses"][name]), name


def test_the_newest_committed_report_is_told_again():
    made = from_document(
        json.loads((ROOT / "results" / "tau-bench-airline" / "report.json").read_text())
    )
    text = report(made, {})
    assert all(f"\n## {named(key.analysis).title}" in text for key in made.results)


def test_there_are_committed_reports():
    assert len(COMMITTED) >= 3
