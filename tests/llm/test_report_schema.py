"""The JSON Schema of report.json stands written out, and documents keep it."""

import json

import jsonschema
import pytest
from places import ROOT

from hotmess_jax.llm.report_schema import report_schema
from hotmess_jax.llm.study_document import from_document, to_document

WRITTEN = ROOT / "hotmess_jax" / "llm" / "report.schema.json"
COMMITTED = sorted((ROOT / "results").glob("*/report.json"))


def test_the_schema_that_is_written_out_is_the_code_s():
    """Where it is not: python -m hotmess_jax.llm.report_schema > hotmess_jax/llm/report.schema.json."""
    assert json.loads(WRITTEN.read_text()) == report_schema()


@pytest.mark.parametrize("file", COMMITTED, ids=lambda file: file.parent.name)
def test_committed_documents_are_of_the_schema_once_brought_up_to_it(file):
    document = to_document(from_document(json.loads(file.read_text())))
    jsonschema.Draft202012Validator(report_schema()).validate(document)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda overall: overall.pop("questions"), "'questions' is a required property"),
        (lambda overall: overall["plugin"]["error"].update(ci95=[0.1]), r"\[0.1\] is not valid"),
        (lambda overall: overall["plugin"]["error"].update(valu=1), "is not valid|unexpected"),
    ],
)
def test_what_is_not_of_the_schema_is_refused(spoil, said):
    document = to_document(from_document(json.loads(COMMITTED[0].read_text())))
    overall = next(iter(document["analyses"]["overall_brier"].values()))
    spoil(overall)
    with pytest.raises(jsonschema.ValidationError, match=said):
        jsonschema.Draft202012Validator(report_schema()).validate(document)
