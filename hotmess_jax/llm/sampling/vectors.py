"""The vectors in an endpoint's reply, in every form that is known."""

import base64
import binascii
from typing import Any

import numpy as np

from hotmess_jax.llm.sampling.replies import MalformedReplyError, UnreadableReplyError


def read_vectors(body: Any, count: int) -> list[list[float]]:
    """Return one vector a text of a reply of /embeddings.

    Args:
        body: the reply's JSON; vectors may be numbers or base64 of float32, with or without their index.
        count: of the texts.

    Raises:
        MalformedReplyError: where there are not as many; asking again may help.
        UnreadableReplyError: where one is null, or no vector, or they differ in length.
    """
    data = body.get("data") if isinstance(body, dict) else None
    if (
        not isinstance(data, list)
        or len(data) != count
        or not all(isinstance(row, dict) for row in data)
    ):
        found = len(data) if isinstance(data, list) else 0
        raise MalformedReplyError(f"{count} texts gave {found} vectors")
    places = [row.get("index") for row in data]
    if all(isinstance(place, int) for place in places):
        if sorted(places) != list(range(count)):
            raise MalformedReplyError(f"vectors have the indices {places[:10]} of {count} texts")
        data = sorted(data, key=lambda row: row["index"])
    vectors = [_vector(row.get("embedding"), i) for i, row in enumerate(data)]
    if len({len(vector) for vector in vectors}) > 1:
        raise UnreadableReplyError(f"vectors have the lengths {sorted({len(v) for v in vectors})}")
    return vectors


def _vector(value: Any, place: int) -> list[float]:
    if isinstance(value, str):
        try:
            return np.frombuffer(base64.b64decode(value, validate=True), "<f4").tolist()
        except (ValueError, binascii.Error):
            value = value[:40]
    elif isinstance(value, list) and value:
        try:
            vector = np.asarray(value, np.float64)
        except (TypeError, ValueError):
            vector = np.full(1, np.nan)
        if vector.ndim == 1 and np.isfinite(vector).all():
            return vector.tolist()
        value = value[:3]
    raise UnreadableReplyError(f"vector {place} is {value!r}")
