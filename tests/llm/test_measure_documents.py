"""What groups, halves, budgets and means say is read back from JSON documents as it was, old ones' too."""

import json

import pytest
from places import ROOT

from hotmess_jax.documents import from_json, to_json
from hotmess_jax.llm.analyses.by_budget import Budget, LessBefore, MissingBudget
from hotmess_jax.llm.measures.between_contexts import BetweenContexts
from hotmess_jax.llm.measures.groups import (
    AlongField,
    AlongForm,
    Conclusion,
    OfDifficulty,
    OfTopic,
    Slopes,
)
from hotmess_jax.llm.measures.halves import Half, Halves, HalvesForm, PermutationTests, Permuted
from hotmess_jax.llm.measures.left_out import LeftOut
from hotmess_jax.llm.measures.means import Means
from hotmess_jax.llm.measures.parts import Curves, Parts
from hotmess_jax.llm.study_document import from_document, result_type, to_document
from hotmess_jax.statistics.estimate import Estimate, Estimates, Interval
from hotmess_jax.statistics.power_laws import Exponent

OPEN = Interval(None, None)
ONE, NONE = Estimate(0.25, Interval(0.125, 0.5)), Estimate(None, OPEN)
PARTS = Parts(ONE, ONE, ONE, ONE, NONE)
CURVES = Curves(*[Estimates((0.5, None), (Interval(0.25, 1.0), OPEN))] * 6)
SLOPES = Slopes(*[Exponent(-0.5, Interval(-1.0, 0.0), 0.9)] * 3, Exponent(None, OPEN, None))
ALONG = AlongForm({10: SLOPES, 5: SLOPES}, PARTS, CURVES)
HALF = Half(*[ONE] * 4, NONE, Estimate(12.5, OPEN))
IN_HALVES = HalvesForm(HALF, HALF, PARTS)
TESTS = PermutationTests(Permuted(0.5, -0.25), Permuted(None, None))
HALVES = Halves("words", "kl", 9, None, 72, 20, 3, 1, "why", IN_HALVES, None, TESTS, 2)
MEANS = 9, 72, 3, 2.5, None, 4, 0.05, PARTS, PARTS, BetweenContexts(3, 0, 1, ONE, None)
LABELLED = 9, 72, None, Estimate(12.5, OPEN), "words", PARTS, PARTS
RESULTS = [
    ("overall", Means(*MEANS)),
    ("by_length", AlongField("words", "brier", 9, 72, 3, 1, 10, 2, 10, None, ALONG, ALONG,
                             Conclusion("incoherence", "corrected", 3, 2, 1, 0), 4, 5)),
    ("overthinking", HALVES),
    ("by_topic", [OfTopic(*LABELLED, "law")]),
    ("by_difficulty", [OfDifficulty(*LABELLED, "hard")]),
    ("by_budget", [Budget(*MEANS, None, None, 300.0, None, 0.75, HALVES, None),
                   Budget(*MEANS, "high", 12.5, None, 0.5, None, None, LessBefore(5, ONE, NONE)),
                   MissingBudget("low", None, None, None, None, "why", 9, 72)]),
    ("left_out", [LeftOut("easy", 3, 0, None), LeftOut("hard", 3, 1, 0.5)]),
]  # fmt: skip


@pytest.mark.parametrize(("analysis", "result"), RESULTS, ids=[name for name, _ in RESULTS])
def test_what_is_measured_comes_back_as_it_was(analysis, result):
    kind = result_type(analysis)
    text = json.dumps(to_json(kind, result), allow_nan=False)
    assert from_json(kind, json.loads(text)) == result


def holds(newer, older, place=""):
    """Yield the places at which a document has not what an older one has."""
    if isinstance(older, dict):
        for name, value in older.items():
            if name not in newer:
                yield f"{place}/{name}"
            else:
                yield from holds(newer[name], value, f"{place}/{name}")
    elif isinstance(older, list):
        if len(newer) != len(older):
            yield place
        for i, value in enumerate(older):
            yield from holds(newer[i], value, f"{place}/{i}")
    elif newer != older:
        yield place


@pytest.mark.parametrize("name", ["gpt-35-vs-gpt-4", "swe-bench-made", "tau-bench-airline"])
def test_committed_documents_keep_their_names_and_numbers(name):
    document = json.loads((ROOT / "results" / name / "report.json").read_text())
    study = from_document(document)
    kinds = {analysis: type(result) for analysis, result in RESULTS}
    kinds |= {"unit_tests": Means, "unit_tests_by": AlongField, "unit_tests_overthinking": Halves}
    read = [(key, result) for key, result in study.results.items() if key.analysis in kinds]
    assert read and all(isinstance(result, kinds[key.analysis]) for key, result in read)
    assert list(holds(to_document(study), document)) == []
    # The check sees what is lost.
    assert list(holds({"a": [{"b": 1}]}, {"a": [{"b": 2, "c": 1}]})) == ["/a/0/b", "/a/0/c"]
