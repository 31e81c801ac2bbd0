"""The JSON Schema of report.json: python -m hotmess_jax.llm.report_schema > hotmess_jax/llm/report.schema.json."""

import json

from hotmess_jax.documents import SCHEMA, Document, document_schema, schemas_of
from hotmess_jax.llm.analyses.catalogue import CATALOGUE, Analysis
from hotmess_jax.llm.measures.decomposing import METRICS
from hotmess_jax.llm.study import Missing, SeriesName
from hotmess_jax.llm.study_document import VERSION, result_type

TEXT = {"type": "string"}
TEXTS = {"type": "array", "items": TEXT}
PERHAPS = {"anyOf": [TEXT, {"type": "null"}]}


def report_schema() -> Document:
    """Return the JSON Schema of report.json, as `to_document` writes it: results by name, then by label."""
    kinds = {analysis.name: result_type(analysis.name) for analysis in CATALOGUE}
    found, definitions = schemas_of(kinds | {"series": SeriesName, "missing": Missing})
    results = {
        _names(analysis): {"type": "object", "additionalProperties": found[analysis.name]}
        for analysis in CATALOGUE
    }
    key = {"analysis": {"enum": list(kinds)}, "metric": PERHAPS, "field": PERHAPS}
    properties: Document = {
        SCHEMA: {"const": VERSION},
        "models": TEXTS,
        "series": {"type": "array", "items": found["series"]},
        "questions": {"type": "integer", "minimum": 0},
        "samples": {"type": "integer", "minimum": 0},
        "meanings": TEXTS,
        "length": PERHAPS,
        "settings": {"type": "object"},
        "analyses": {"type": "object", "patternProperties": results, "additionalProperties": False},
        "keys": {
            "type": "object",
            "additionalProperties": {"type": "object", "properties": key, "required": list(key)},
        },
        "missing": {"type": "array", "items": found["missing"]},
        "records": {"type": "object"},
        "provenance": {"type": "object"},
    }
    required = [name for name in properties if name not in ("records", "provenance")]
    return document_schema("report.json", properties, required, definitions)


def _names(analysis: Analysis) -> str:
    """Return the pattern of the names that an analysis' results have."""
    metric = f"_({'|'.join(METRICS)})" if analysis.by_metric else ""
    return f"^{analysis.name}{metric}{'_.+' if analysis.fields else ''}$"


if __name__ == "__main__":
    print(json.dumps(report_schema(), indent=1))
