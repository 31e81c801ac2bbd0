"""The document of a sweep: what was read is written again, older ones are upgraded, newer ones refused."""

import copy
import json

import pytest
from made_sweeps import made_sweep, read, without
from places import ROOT

from hotmess_jax.documents import schema_of
from hotmess_jax.synthetic.results import EarlierFloor, SweepResults
from hotmess_jax.synthetic.study.outputs import NoSweepError, conclude, read_sweep
from hotmess_jax.synthetic.study.report import report
from hotmess_jax.synthetic.study.sweep_document import VERSION, ConcludedSweep, to_document
from hotmess_jax.synthetic.verdicts import CHANCE

COMMITTED = {path.parent.name: path for path in sorted((ROOT / "results").glob("*/sweep.json"))}


def kept(before, after, where="sweep"):
    """Whether every name and number of a document is in another, with its type."""
    if isinstance(before, dict):
        assert before.keys() <= after.keys(), where
        for name, value in before.items():
            kept(value, after[name], f"{where}.{name}")
    elif isinstance(before, list):
        assert len(before) == len(after), where
        for place, pair in enumerate(zip(before, after, strict=True)):
            kept(*pair, f"{where}[{place}]")
    else:
        assert (before, type(before)) == (after, type(after)), where


@pytest.fixture(scope="module")
def concluded():
    return conclude(read(without(made_sweep(draws=3, tau=0.1, noise=0.1, replicates=2), "25k", 1)))


def test_a_concluded_sweep_comes_back_as_it_was(concluded):
    document = json.loads(json.dumps(to_document(concluded), allow_nan=False))
    again = read(document)
    assert to_document(again) == document
    assert (again.found, again.claims, again.notes) == (
        concluded.found,
        concluded.claims,
        concluded.notes,
    )
    assert again.models == concluded.models and again.failures == concluded.failures
    assert report(again) == report(concluded)


@pytest.mark.parametrize("name", COMMITTED)
def test_committed_documents_keep_every_name_and_number(name):
    before = json.loads(COMMITTED[name].read_text())
    sweep = read(before)
    kept(before, json.loads(json.dumps(to_document(sweep))))
    assert (sweep.schema == VERSION and sweep.notes is None) or sweep.notes.draws_compared > 0


def test_a_pool_knows_its_runs_by_the_digests_that_it_noted():
    runs = {read_sweep(COMMITTED[name]).digest for name in ("laptop", "laptop-seed-1")}
    assert {run.digest for run in read_sweep(COMMITTED["laptop-pooled"]).pooled_from} == runs


def first_schema():
    """A document of one problem at the top level, whose teacher has no last step and whose models lack some."""
    sweep = made_sweep(draws=1)
    del sweep["problems"]
    for name in ("teacher", "codec_teacher"):
        sweep[name] = {k: v for k, v in sweep[name].items() if k != "final"}
    for model in sweep["models"]:
        for name in ("strayed", "worst_percent_share", "median_error"):
            del model["final"][name]
        del model["problem"], model["validation_loss_all"]
    return sweep | {"schema": 1}


def test_a_document_of_the_first_schema_is_upgraded():
    sweep = read(first_schema())
    (problem,) = sweep.problems
    last = problem.teacher.final
    assert last.bias2 == problem.teacher.bias2[-1] and last.strayed is None
    assert last.corrected.variance == problem.teacher.corrected.variance[-1]
    assert sweep.schema == 1 and {model.problem for model in sweep.models} == {0}
    written = to_document(conclude(sweep))
    assert written["schema"] == VERSION and written["teacher"]["bias2"] == list(problem.teacher.bias2)
    assert "strayed" not in written["models"][0]["final"] and "strayed" not in written["fits"]


def test_a_newer_document_is_refused_by_its_number(tmp_path):
    path = tmp_path / "sweep.json"
    path.write_text(json.dumps(made_sweep(draws=1) | {"schema": VERSION + 1}))
    with pytest.raises(NoSweepError, match=f"is of schema {VERSION + 1}"):
        read_sweep(tmp_path)


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda s: s["models"][1]["final"].update(bias=1.0), r"models\.1\.final\.bias: Unexpected"),
        (lambda s: s["models"][1].pop("parameters"), r"models\.1\.parameters: "),
        (lambda s: s["models"][0].update(bias2="much"), r"models\.0\.bias2: "),
        (lambda s: s.update(colour="blue"), "colour: Unexpected"),
        (lambda s: s.pop("provenance"), "it has no 'provenance'"),
    ],
)
def test_what_is_not_as_the_schema_has_it_is_named(harm, said):
    sweep = copy.deepcopy(made_sweep(draws=1))
    harm(sweep)
    with pytest.raises(ValueError, match=said):
        read(sweep)


def test_an_earlier_loss_floor_is_kept_and_is_none():
    sweep = made_sweep(draws=2)
    floor = {name: value for name, value in sweep["problems"][0]["loss_floor"].items()
             if name not in ("counted", "uniform")}  # fmt: skip
    sweep["problems"][0] = sweep["problems"][0] | {"loss_floor": floor}
    found = read(sweep)
    assert isinstance(found.problems[0].loss_floor, EarlierFloor) and found.problems[0].floor is None
    assert found.problems[1].floor.counted == 9
    assert to_document(found)["problems"][0]["loss_floor"] == floor


def test_the_notes_say_what_the_numbers_are_over_and_why_there_are_none(concluded):
    notes = concluded.notes
    assert (notes.draws_compared, notes.unfitted, notes.not_positive) == (2, None, ())
    assert (notes.loss_floors.draws, notes.loss_floors.measured) == (3, 3)
    assert notes.loss_floors.counted == pytest.approx(9 / 12)
    sweep = made_sweep(draws=2, floor=False)
    sweep["models"][0]["final"]["bias2"] = 0.0
    notes = conclude(read(sweep)).notes
    assert notes.not_positive == ("bias2",)
    assert (notes.loss_floors.measured, notes.loss_floors.counted) == (0, None)
    holed = without(without(made_sweep(draws=2), "3k", 0), "83k", 1)
    assert conclude(read(holed)).notes.unfitted == "no draw has every size"
    assert conclude(read(made_sweep(sizes=("3k",)))).notes.unfitted == "too few sizes"
    assert conclude(read(made_sweep() | {"models": []})).notes.unfitted == "no model"


def test_a_draw_whose_model_is_worse_than_chance_is_not_among_those_compared():
    sweep = made_sweep(draws=3, tau=0.1, noise=0.1)
    sweep["models"][0]["validation_loss"] = 2 * CHANCE
    document = conclude(read(sweep))
    assert document.notes.draws_compared == 2
    assert "in each of 2 draws of the problem" in report(document)


def test_the_schema_names_what_a_sweep_has():
    known = schema_of(ConcludedSweep)
    assert set(schema_of(SweepResults)["properties"]) < set(known["properties"])
    for name in ("FinalStep", "ModelResult", "Found", "Claim"):
        assert known["$defs"][name]["additionalProperties"] is False
