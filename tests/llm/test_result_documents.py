"""Results of analyses are read back from their JSON documents as they were."""

import json

import pytest
from places import ROOT

from hotmess_jax.documents import from_json, to_json
from hotmess_jax.llm.analyses.answer_changes import AnswerChanges
from hotmess_jax.llm.analyses.ensembles import EnsembleParts, Ensembles
from hotmess_jax.llm.analyses.length_correlation import LengthCorrelation
from hotmess_jax.llm.analyses.scaling import Exponents, Scaling, ScalingForm, ScalingGroup
from hotmess_jax.llm.analyses.sensitivity import Changed
from hotmess_jax.llm.analyses.surface import Coefficients, Surface, SurfacePoints
from hotmess_jax.llm.measures.between_contexts import BetweenContexts
from hotmess_jax.llm.measures.comparing import Differences, Paired, SamplesOfBoth
from hotmess_jax.llm.measures.means import Means
from hotmess_jax.llm.measures.parts import Parts
from hotmess_jax.llm.measures.repeats import Repeats
from hotmess_jax.llm.study_document import from_document, result_type
from hotmess_jax.llm.survey import MeanRank, MeansCorrelate, RankedEntity, Surveyed
from hotmess_jax.statistics.estimate import Estimate, Estimates, Interval
from hotmess_jax.statistics.power_laws import Exponent

OPEN = Interval(None, None)
ONE, NONE = Estimate(0.25, Interval(0.125, 0.5)), Estimate(None, OPEN)
CURVE = Estimates((0.5, None), (Interval(0.25, 1.0), OPEN))
COUNTED = Estimate(0.5, Interval(0.0, 1.0), "questions", 3)
PARTS = Parts(ONE, ONE, ONE, ONE, NONE)
CONTEXTS = BetweenContexts(3, 0, 1, ONE, ONE)
MEANS = Means(4, 12, None, 2.5, None, None, None, PARTS, PARTS, CONTEXTS)
EXPONENTS = Exponents(*[Exponent(-0.5, Interval(-1.0, 0.0), 0.9)] * 4, Exponent(None, OPEN, None))
FORM = ScalingForm(*[CURVE] * 5, EXPONENTS)
PAIRED = {"accuracy": Paired(0.5, Interval(0.25, 1.0), 0.01, 0.02), "error": Paired(None, OPEN, None)}
RESULTS = [
    ("ensembles", Ensembles("kl", 4, 1, 12, (1, 2), (6, 6), None, 20, ("why", None),
                            *[EnsembleParts(*[CURVE] * 4)] * 2)),
    ("sensitivity", [Changed("headline", "", MEANS), Changed("samples", "3 at random", None, "why")]),
    ("scaling", Scaling(("s", "l"), (1e8, 1e9), "l", 3, None, 2,
                        (ScalingGroup(0, 9, (1.5, 2.0), FORM, None),
                         ScalingGroup(1, 9, (3.0, 4.0), FORM, FORM)))),
    ("surface", Surface("words", "plugin", ("s", "l"), 2, None, (9, 9), (1.5, 2.0), 3,
                        Coefficients(ONE, NONE, ONE), None,
                        (SurfacePoints("s", 1e8, (1.5, 2.5), (0.5, None)),))),
    ("length_correlation", [LengthCorrelation(ONE, (0.5, None), NONE, ("s", "l"), ("a", "b"), 9, 2)]),
    ("answer_changes", [AnswerChanges(None, 9, 3.5, ONE, None, ONE, fewer_samples=2),
                        AnswerChanges(0, 4, 2.0), AnswerChanges("0", 5, 2.0, effect=ONE)]),
    ("repeats", Repeats(4, COUNTED, (COUNTED,) * 12, (COUNTED,) * 12, (), None, COUNTED, None, None, "why")),
    ("differences", Differences(9, SamplesOfBoth(30, 27), PAIRED, None, "why", 3, 2)),
]  # fmt: skip


@pytest.mark.parametrize(("analysis", "result"), RESULTS, ids=[name for name, _ in RESULTS])
def test_results_come_back_as_they_were(analysis, result):
    kind = result_type(analysis)
    text = json.dumps(to_json(kind, result), allow_nan=False)
    assert from_json(kind, json.loads(text)) == result


def test_a_survey_comes_back_as_it_was():
    rank = MeanRank(0.5, None)
    correlate = MeansCorrelate(ONE, (0.5, None), NONE, 0.01, 3)
    found = Surveyed(
        {"intelligence": 2, "coherence": 3}, {"all": correlate}, (RankedEntity("e", "", rank, rank),)
    )
    assert from_json(Surveyed, json.loads(json.dumps(to_json(Surveyed, found)))) == found


def test_what_is_no_result_is_refused_by_name():
    repeats = to_json(Repeats, dict(RESULTS)["repeats"])
    swapped = dict(reversed(repeats["pass_at_k"].items()))
    for changed, said in (
        ({name: of for name, of in repeats.items() if name != "run_spread"}, "no run_spread"),
        (repeats | {"pass_at_k": swapped}, "pass_at_k is not of k = 1, 2"),
        (repeats | {"accuracy": {"value": 0.5}}, "an estimate has a value and ci95"),
        (["repeats"], "no document of what k samples do"),
    ):
        with pytest.raises(ValueError, match=said):
            from_json(Repeats, changed)
    with pytest.raises(ValueError, match="what was changed has what and value"):
        from_json(Changed, {"what": "headline"})
    with pytest.raises(ValueError, match="Means: questions: Field required"):
        from_json(Changed, {"what": "headline", "value": ""})


@pytest.mark.parametrize("name", ["gpt-35-vs-gpt-4", "swe-bench-made", "tau-bench-airline"])
def test_committed_results_are_read_as_what_they_are(name):
    document = json.loads((ROOT / "results" / name / "report.json").read_text())
    kinds = {analysis: type(result) for analysis, result in RESULTS}
    found = {key: of for key, of in from_document(document).results.items() if key.analysis in kinds}
    assert found
    for key, result in found.items():
        assert isinstance(result, kinds[key.analysis])
        rows = (
            zip(result, dict(RESULTS)[key.analysis], strict=False) if isinstance(result, list) else ()
        )
        assert all(type(row) is type(made) for row, made in rows)
