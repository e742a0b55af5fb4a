"""DSSE envelopes round in-toto statements (secure-systems-lab/dsse, protocol.md). Pure but for the key.

What is signed is the statement's type and bytes together, so that nothing else can be taken for a statement.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

from groundswell.attest.statements import encode
from groundswell.errors import PermanentError
from groundswell.sign.port import Signer, verifies

IN_TOTO = "application/vnd.in-toto+json"


def encoding(payload: bytes, kind: str = IN_TOTO) -> bytes:
    """The pre-authentication encoding: what the signature goes over."""
    name = kind.encode()
    return b"DSSEv1 %d %s %d %s" % (len(name), name, len(payload), payload)


def seal(statement: bytes, signer: Signer) -> bytes:
    """The envelope of a statement, as JSON."""
    signature = base64.b64encode(signer.sign(encoding(statement))).decode()
    return encode(
        {
            "payloadType": IN_TOTO,
            "payload": base64.b64encode(statement).decode(),
            "signatures": [{"keyid": "", "sig": signature}],
        }
    )


def payload(envelope: bytes) -> bytes:
    """The statement in an envelope, by whomever it is signed. Raises PermanentError when there is none."""
    document = _document(envelope)
    try:
        if document["payloadType"] == IN_TOTO:
            return base64.b64decode(document["payload"], validate=True)
    except (KeyError, TypeError, ValueError) as exc:
        raise PermanentError("the envelope has no payload") from exc
    raise PermanentError("the envelope does not hold an in-toto statement")


def holds(envelope: bytes, public_key: bytes) -> bool:
    """Whether one of an envelope's signatures is by the key, over its payload."""
    document, message = _document(envelope), encoding(payload(envelope))
    signatures = document.get("signatures")
    return isinstance(signatures, list) and any(_by(public_key, message, each) for each in signatures)


def _by(public_key: bytes, message: bytes, entry: object) -> bool:
    try:
        signature = base64.b64decode(entry["sig"], validate=True)  # type: ignore[index]  # what has none is no entry
    except (KeyError, TypeError, binascii.Error):
        return False
    return verifies(public_key, message, signature)


def _document(envelope: bytes) -> Mapping[str, Any]:
    try:
        document = json.loads(envelope)
    except (ValueError, RecursionError) as exc:
        raise PermanentError("the envelope is not JSON") from exc
    if not isinstance(document, dict):
        raise PermanentError("the envelope is not a JSON object")
    return document
