"""Notary Project signatures: what is signed, what certificates must be, and what an independent verifier says."""

import base64
import datetime as dt
import json
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from groundswell.attest import notation
from groundswell.attest.notation import read_chain, sign
from groundswell.errors import InputError
from tests.support import notation as spec
from tests.support.notation import AUTHORITY, CODE, SIGNS, certificate, root, usage
from tests.support.signing import FakeSigner

NOW = dt.datetime(2027, 1, 15, 8, tzinfo=dt.UTC).timestamp()
TARGET = {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": f"sha256:{'a' * 64}", "size": 7}
KEY = FakeSigner().public_key()


def signed() -> notation.Attachment:
    return sign(TARGET, read_chain(spec.chain(KEY), KEY, at=NOW), FakeSigner(), at=NOW)


def test_an_independent_verifier_takes_it() -> None:
    for _ in range(20):  # numbers of fewer bytes are rare
        made = signed()
        spec.verify(json.loads(made.manifest(TARGET)), made.content, TARGET, root())
    protected = json.loads(base64.urlsafe_b64decode(json.loads(made.content)["protected"] + "=="))
    assert protected["io.cncf.notary.signingTime"] == "2027-01-15T08:00:00Z"


def test_the_verifier_can_refuse() -> None:
    made = signed()
    manifest = json.loads(made.manifest(TARGET))
    document = json.loads(made.content)
    other = {**TARGET, "digest": f"sha256:{'b' * 64}"}
    stranger = spec.certificate("root", spec.ROOT_KEY.public_key(), extensions=AUTHORITY)  # another serial number
    with pytest.raises(AssertionError):
        spec.verify(manifest, made.content, other, root())
    with pytest.raises(AssertionError):
        spec.verify(manifest, made.content, TARGET, stranger)
    changed = json.dumps({**document, "signature": document["signature"][::-1]}).encode()
    with pytest.raises(AssertionError):
        spec.verify(manifest, changed, TARGET, root())


def test_it_holds_for_its_key_and_digest() -> None:
    content = signed().content
    assert notation.holds(content, str(TARGET["digest"]), KEY)
    assert not notation.holds(content, f"sha256:{'b' * 64}", KEY)
    assert not notation.holds(content, str(TARGET["digest"]), FakeSigner(secret=7).public_key())


def encoded(document: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=").decode()


@pytest.mark.parametrize(
    "change",
    [
        {"protected": encoded({"alg": "none", "cty": notation._PAYLOAD})},
        {"protected": encoded({"alg": "ES256", "cty": "text/plain"})},
        {"payload": encoded({"targetArtifact": {}})},
        {"payload": encoded([])},
        {"payload": "?"},
        {"signature": "AAAA"},
        {"signature": 1},
        {"signature": "A" * 86},
    ],
)
def test_what_is_no_such_signature_does_not_hold(change: dict[str, Any]) -> None:
    document = json.loads(signed().content) | change
    assert not notation.holds(json.dumps(document).encode(), str(TARGET["digest"]), KEY)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"null", b"[" * 100_000])
def test_what_is_no_envelope_does_not_hold(content: bytes) -> None:
    assert not notation.holds(content, str(TARGET["digest"]), KEY)


def test_a_certificate_that_is_its_own_root() -> None:
    key = ec.derive_private_key(20_261_125, ec.SECP256R1())  # the fake signer's
    alone = certificate("alone", KEY, issuer="alone", key=key, extensions=(SIGNS,))
    assert len(read_chain(alone, KEY, at=NOW).certificates) == 1


def leaf(*extensions: Any, **more: Any) -> bytes:
    return certificate("signer", KEY, extensions=extensions, **more) + root()


@pytest.mark.parametrize(
    ("pem", "says"),
    [
        (b"", "holds no certificates in PEM"),
        (root(), "begins with CN=root, which is not for the key that signs"),
        (leaf(CODE), "CN=signer lacks the critical key usage digitalSignature"),
        (leaf((usage(digital_signature=True), False)), "lacks the critical key usage digitalSignature"),
        (leaf((usage(crl_sign=True), True)), "lacks the critical key usage digitalSignature"),
        (leaf((usage(digital_signature=True, key_agreement=True), True)), "may be used for more than signatures"),
        (leaf(SIGNS, (x509.BasicConstraints(ca=True, path_length=None), True)), "CN=signer is an authority's"),
        (
            leaf(SIGNS, (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)),
            "an extended key usage other than codeSigning",
        ),
        (
            leaf(SIGNS, until=dt.datetime(2021, 1, 1, tzinfo=dt.UTC)),
            "CN=signer is not valid at 2027-01-15T08:00:00Z",
        ),
        (certificate("signer", KEY, extensions=(SIGNS,)), "CN=signer is not issued by CN=signer: give all of them"),
        (
            certificate("signer", KEY, issuer="other", extensions=(SIGNS,)) + root(),
            "CN=signer is not issued by CN=root",
        ),
        (
            certificate("signer", KEY, extensions=(SIGNS,))
            + certificate("root", spec.ROOT_KEY.public_key(), extensions=AUTHORITY[1:]),
            "CN=root is no authority's",
        ),
        (
            certificate("signer", KEY, extensions=(SIGNS,))
            + certificate("root", spec.ROOT_KEY.public_key(), extensions=AUTHORITY[:1]),
            "CN=root lacks the critical key usage keyCertSign",
        ),
    ],
)
def test_chains_that_no_verifier_would_take(pem: bytes, says: str) -> None:
    with pytest.raises(InputError, match=says):
        read_chain(pem, KEY, at=NOW)


def test_constraints_that_say_that_it_is_no_authority_are_good() -> None:
    read_chain(leaf(SIGNS, CODE, (x509.BasicConstraints(ca=False, path_length=None), True)), KEY, at=NOW)


def test_a_chain_signed_with_sha1(monkeypatch: pytest.MonkeyPatch) -> None:
    from cryptography.hazmat.primitives import hashes

    monkeypatch.setattr(hashes, "SHA1", hashes.SHA256)  # nobody makes such certificates any more
    with pytest.raises(InputError, match="CN=signer is signed with SHA-1"):
        read_chain(spec.chain(KEY), KEY, at=NOW)
