"""The signing key: it signs, and what it signed is its own."""

from collections.abc import Iterator
from uuid import uuid4

from groundswell.doctor.check import Check, bad, ok, skipped
from groundswell.sign.port import Signer, verifies


def look(signer: Signer | None) -> Iterator[Check]:
    name = "signing key"
    if signer is None:
        yield skipped(name, "images are not signed", "GROUNDSWELL_SIGNING_KEY names a key (docs/admission.md)")
        return
    message = f"groundswell doctor {uuid4().hex}".encode()
    if verifies(signer.public_key(), message, signer.sign(message)):
        yield ok(name, "it signs, and its public key verifies that")
    else:
        yield bad(
            name, "its public key does not verify what it signed", "name one key, with its version if it has one"
        )
