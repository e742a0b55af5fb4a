"""Documents as text, and as the compressed bytes that large ones are kept in.

JSON is written in plain ASCII: one character is one byte everywhere, and every Python string survives, lone
surrogates from a build log included.
"""

import json
import zlib
from typing import Any

from groundswell.errors import PermanentError
from groundswell.store.port import Json

MAX_DOCUMENT = 780_000
"""Bytes of one document after compression.

An Azure entity holds 1 MiB. Azurite, when it replaces one, counts the request against that, where bytes are base64;
what is stored must be storable on both.
"""


def dumps(value: Json, subject: str) -> str:
    """`value` as JSON text. Raises PermanentError naming `subject` when it is no JSON object."""
    try:
        text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as exc:
        raise PermanentError(f"{subject} cannot be stored as JSON: {exc}") from exc
    if not text.startswith("{"):
        raise PermanentError(f"{subject} cannot be stored: a document is a JSON object, not {type(value).__name__}")
    return text


def loads(text: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(text)
    return document


def compress(text: str, subject: str) -> bytes:
    """`text` as bytes for storage. Raises PermanentError naming `subject` when it is too large even so."""
    packed = zlib.compress(text.encode("ascii"), level=6)
    if len(packed) > MAX_DOCUMENT:
        raise PermanentError(
            f"{subject} is too large to store: {len(packed)} bytes compressed, at most {MAX_DOCUMENT}; "
            "keep large contents elsewhere and store where they are"
        )
    return packed


def decompress(packed: bytes) -> str:
    return zlib.decompress(packed).decode("ascii")
