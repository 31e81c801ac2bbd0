"""Results as JSON documents and back: dataclasses in one schema, of which older ones are still read.

A document says which version of its schema it is of. What reads one brings an older document up to the newest
version step by step, and refuses a newer one.
"""

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError, model_serializer

SCHEMA = "schema"
Document = dict[str, Any]


class Exact:
    """What dataclasses inherit whose JSON form has their names and no other: an unknown name is an error.

    A name that has the default None stands there only where there is a value.
    """

    __slots__ = ()
    __pydantic_config__ = ConfigDict(extra="forbid")

    @model_serializer(mode="wrap")
    def _written(self, handler: Callable[[Any], Document]):  # type: ignore[no-untyped-def]
        given = dataclasses.fields(self)  # type: ignore[arg-type]
        optional = {field.name for field in given if field.default is None}
        return {
            name: value
            for name, value in handler(self).items()
            if value is not None or name not in optional
        }


def to_json(kind: Any, value: Any) -> Any:
    """Return a value of a type as JSON values.

    Raises:
        ValueError: where it is of another type, or holds a NaN or an infinity, which JSON has no word for.
    """
    try:
        found = TypeAdapter(kind).dump_python(value, mode="json", warnings="error")
        # Numbers that JSON has not are an error, and not null without a word.
        json.dumps(found, allow_nan=False)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{_name(kind)} cannot be written as JSON: {error}") from None
    return found


def from_json(kind: Any, value: Any) -> Any:
    """Return a value of a type from JSON values.

    Raises:
        ValueError: with the first name whose value is not what the type has.
    """
    try:
        return TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or _name(kind)
        raise ValueError(f"{_name(kind)}: {place}: {first['msg']}") from None


def schema_of(kind: Any) -> Document:
    """Return the JSON Schema of a type."""
    return TypeAdapter(kind).json_schema(mode="serialization")


def schemas_of(kinds: Mapping[str, Any]) -> tuple[dict[str, Document], Document]:
    """Return the JSON Schemas of several types by name, and the definitions that they share."""
    adapters: list[tuple[str, Literal["serialization"], TypeAdapter[Any]]]
    adapters = [(name, "serialization", TypeAdapter(kind)) for name, kind in kinds.items()]
    found, shared = TypeAdapter.json_schemas(adapters)
    return {name: schema for (name, _), schema in found.items()}, shared.get("$defs", {})


def document_schema(
    name: str, properties: Mapping[str, Document], required: Sequence[str], definitions: Document
) -> Document:
    """Return the JSON Schema of a file: an object with these names and no other, and the types it stands on."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"{name} of hotmess_jax",
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
        "$defs": definitions,
    }


def upgraded(
    document: Mapping[str, Any], version: int, steps: Mapping[int, Callable[[Document], Document]]
) -> Document:
    """Return a document brought up to a version of its schema.

    Args:
        document: of that version or an older one; one that names none is of the first.
        version: the newest.
        steps: of each older version, what makes the next one of it.

    Raises:
        ValueError: where it is of a newer version, or of none.
    """
    found = dict(document)
    given = found.get(SCHEMA, 1)
    if not isinstance(given, int) or given < 1:
        raise ValueError(f"schema must be a number from 1 on, got {given!r}")
    if given > version:
        raise ValueError(
            f"the document is of schema {given}, and this version of hotmess_jax reads {version} and older ones"
        )
    for step in range(given, version):
        found = steps[step](found)
    return found | {SCHEMA: version}


def _name(kind: Any) -> str:
    return getattr(kind, "__name__", str(kind))
