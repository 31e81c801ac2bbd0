"""The JSON Schema of sweep.json: python -m hotmess_jax.synthetic.study.sweep_schema > …/study/sweep.schema.json."""

import json

from hotmess_jax.documents import SCHEMA, Document, document_schema, schemas_of
from hotmess_jax.synthetic.study.sweep_document import OF_FIRST, TEACHERS, VERSION, ConcludedSweep


def sweep_schema() -> Document:
    """Return the JSON Schema of sweep.json, as `to_document` writes it: findings stand beside what was measured."""
    _, definitions = schemas_of({"sweep": ConcludedSweep})
    measured, found = definitions.pop("ConcludedSweep"), definitions.pop("Found")
    own = {name: of for name, of in measured["properties"].items() if name not in ("found", "digest")}
    problem = definitions["ProblemResult"]["properties"]
    first = {"type": "object", "properties": {name: problem[name] for name in OF_FIRST}}
    once_more = {"problem": first, **{name: problem[name] for name in TEACHERS}}
    properties = own | found["properties"] | once_more | {SCHEMA: {"const": VERSION}}
    required = {*measured["required"], *found["required"], *once_more} & properties.keys()
    return document_schema("sweep.json", properties, sorted(required), definitions)


if __name__ == "__main__":
    print(json.dumps(sweep_schema(), indent=1))
