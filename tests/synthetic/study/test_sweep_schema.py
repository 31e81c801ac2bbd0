"""The JSON Schema of sweep.json stands written out, and documents keep it."""

import json

import jsonschema
import pytest
from made_sweeps import made_sweep, read, without
from places import ROOT

from hotmess_jax.synthetic.study.outputs import conclude
from hotmess_jax.synthetic.study.sweep_document import to_document
from hotmess_jax.synthetic.study.sweep_schema import sweep_schema

WRITTEN = ROOT / "hotmess_jax" / "synthetic" / "study" / "sweep.schema.json"
COMMITTED = sorted((ROOT / "results").glob("*/sweep.json"))


def check(document):
    jsonschema.Draft202012Validator(sweep_schema()).validate(json.loads(json.dumps(document)))


@pytest.fixture(scope="module")
def concluded():
    return to_document(conclude(read(without(made_sweep(draws=3, tau=0.1, noise=0.1), "25k", 1))))


def test_the_schema_that_is_written_out_is_the_code_s():
    """Where it is not: python -m hotmess_jax.synthetic.study.sweep_schema, into the file beside it."""
    assert json.loads(WRITTEN.read_text()) == sweep_schema()


@pytest.mark.parametrize("file", COMMITTED, ids=lambda file: file.parent.name)
def test_committed_sweeps_are_of_the_schema_once_brought_up_to_it(file):
    check(to_document(conclude(read(json.loads(file.read_text())))))


def test_a_sweep_that_lacks_models_is_of_the_schema(concluded):
    check(concluded)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda sweep: sweep.pop("models"), "'models' is a required property"),
        (lambda sweep: sweep.update(model=[]), "'model' was unexpected"),
        (lambda sweep: sweep["models"][0].pop("validation_loss"), "'validation_loss' is a required"),
        (lambda sweep: sweep["models"][0].update(validation_los=1), "'validation_los' was unexpected"),
        (lambda sweep: sweep["exponent_difference"].update(ci95=[0.1]), "is not valid"),
    ],
)
def test_what_is_not_of_the_schema_is_refused(concluded, spoil, said):
    sweep = json.loads(json.dumps(concluded))
    spoil(sweep)
    with pytest.raises(jsonschema.ValidationError, match=said):
        check(sweep)
