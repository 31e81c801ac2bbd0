"""How dataclasses with a JSON form of their own are written and read as parts of others."""

from typing import Any

from pydantic_core import CoreSchema, core_schema

# JSON Schema of a number, or of one that is not known.
NUMBER = {"anyOf": [{"type": "number"}, {"type": "null"}]}


def json_form(kind: Any) -> CoreSchema:
    """Return the schema by which pydantic writes and reads a class: by its own two methods.

    Args:
        kind: a class with `to_json` and `of_json`, each the other's inverse; the second raises a ValueError for
            what is not of it.
    """

    def read(value: Any) -> Any:
        return value if isinstance(value, kind) else kind.of_json(value)

    def written(value: Any) -> Any:
        return value.to_json()

    form = core_schema.plain_serializer_function_ser_schema(written)
    return core_schema.no_info_plain_validator_function(read, serialization=form)
