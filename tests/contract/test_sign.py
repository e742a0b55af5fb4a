"""The contract of the Signer port, against every adapter; Key Vault is a look-alike behind the real SDK."""

import json
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from azure.identity import CredentialUnavailableError
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    load_pem_public_key,
)

from groundswell.errors import InputError, NotFoundError, PermanentError, TemporaryError
from groundswell.local.certs import certificates
from groundswell.local.identity import Identity
from groundswell.local.serve import Servers
from groundswell.sign.connect import open_chain, open_signer
from groundswell.sign.key_file import KeyFileSigner, create
from groundswell.sign.key_vault import KeyVaultSigner
from groundswell.sign.port import Signer, verifies
from tests.support.acr import Credential
from tests.support.key_vault import KeyVault
from tests.support.signing import FakeSigner


@pytest.fixture(scope="module")
def identity() -> Identity:
    return Identity()


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory, identity: Identity) -> Iterator[KeyVault]:
    files = certificates(tmp_path_factory.mktemp("certs"))
    made = KeyVault(identity)
    with Servers(files) as servers, pytest.MonkeyPatch.context() as patch:
        patch.setenv("REQUESTS_CA_BUNDLE", str(files.ca))
        made.port = servers.serve(made.app)
        yield made


@pytest.fixture
def in_vault(vault: KeyVault, identity: Identity) -> Iterator[Callable[..., KeyVaultSigner]]:
    """Makes signers for keys of the look-alike, whose domain is not the one that its tokens are for."""
    yield lambda url: KeyVaultSigner(url, Credential(identity), same_domain=False)
    vault.refuse = vault.strange = None


@pytest.fixture(params=["file", "vault", "fake"])
def signer(
    request: pytest.FixtureRequest, tmp_path: Path, vault: KeyVault, in_vault: Callable[..., KeyVaultSigner]
) -> Signer:
    if request.param == "file":
        create(tmp_path / "key.pem")
        return KeyFileSigner(tmp_path / "key.pem")
    if request.param == "vault":
        vault.make("contract")
        return in_vault(vault.url("contract"))
    return FakeSigner()


@pytest.mark.parametrize("message", [b"", b"x", b"long" * 100_000])
def test_a_signature_holds_for_the_message_and_the_key_alone(signer: Signer, message: bytes) -> None:
    signature, key = signer.sign(message), signer.public_key()
    assert verifies(key, message, signature)
    assert not verifies(key, message + b".", signature)
    assert not verifies(FakeSigner(secret=7).public_key(), message, signature)
    assert not verifies(key, message, b"nonsense")


def test_the_signature_is_der_and_the_key_pem_as_others_read_them(signer: Signer) -> None:
    key = load_pem_public_key(signer.public_key())
    assert isinstance(key, ec.EllipticCurvePublicKey)
    for _ in range(20):  # numbers of fewer bytes are rare
        key.verify(signer.sign(b"message"), b"message", ec.ECDSA(SHA256()))


@pytest.mark.parametrize("pem", [b"", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"])
def test_a_public_key_that_is_none(pem: bytes) -> None:
    with pytest.raises(InputError, match="not in PEM"):
        verifies(pem, b"", b"")


def test_a_public_key_of_another_kind() -> None:
    from cryptography.hazmat.primitives.serialization import PublicFormat

    for key in (ec.generate_private_key(ec.SECP384R1()), rsa.generate_private_key(65537, 2048)):
        pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        with pytest.raises(InputError, match="not an EC key on P-256"):
            verifies(pem, b"", b"")


# A file.


def test_a_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "key.pem"
    create(path)
    made = path.read_bytes()
    create(path)
    assert path.read_bytes() == made
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["key.pem"]


def test_of_several_that_make_a_key_the_first_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "key.pem"
    create(path)
    first = path.read_bytes()
    monkeypatch.setattr(Path, "exists", lambda _: False)
    create(path)
    assert path.read_bytes() == first
    assert [each.name for each in tmp_path.iterdir()] == ["key.pem"]


def test_openssl_makes_a_key_that_serves(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    command = ["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(path)]
    subprocess.run(command, check=True, capture_output=True)
    path.chmod(0o600)
    signer = KeyFileSigner(path)
    assert verifies(signer.public_key(), b"m", signer.sign(b"m"))


def private(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, lock: KeySerializationEncryption) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "not an unencrypted private key in PEM"),
        (b"garbage", "not an unencrypted private key in PEM"),
        (
            private(ec.generate_private_key(ec.SECP256R1()), BestAvailableEncryption(b"secret")),
            "not an unencrypted private key",
        ),
        (private(ec.generate_private_key(ec.SECP384R1()), NoEncryption()), "not an EC key on P-256; make one with"),
        (private(rsa.generate_private_key(65537, 2048), NoEncryption()), "not an EC key on P-256; make one with"),
    ],
    ids=["empty", "garbage", "encrypted", "p384", "rsa"],
)
def test_a_file_that_holds_no_such_key(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "key.pem"
    path.touch(mode=0o600)
    path.write_bytes(content)
    with pytest.raises(PermanentError, match=says):
        KeyFileSigner(path).sign(b"m")


def test_a_file_that_is_not_there_or_open_to_others(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    with pytest.raises(PermanentError, match=r"cannot be read \(No such file or directory\); make one with"):
        KeyFileSigner(path).public_key()
    create(path)
    path.chmod(0o640)
    with pytest.raises(PermanentError, match="open to others than its owner: chmod 600 it"):
        KeyFileSigner(path).public_key()


# Key Vault.


def test_the_newest_version_signs_and_is_looked_up_again_in_time(
    vault: KeyVault, in_vault: Callable[..., KeyVaultSigner], monkeypatch: pytest.MonkeyPatch
) -> None:
    vault.make("rotated")
    signer, pinned = in_vault(vault.url("rotated")), in_vault(vault.url("rotated", 0))
    old = signer.public_key()
    vault.make("rotated")
    assert signer.public_key() == old
    monkeypatch.setattr("groundswell.sign.key_vault._KEEP", -1.0)
    new = signer.public_key()
    assert new != old
    assert verifies(new, b"m", signer.sign(b"m"))
    assert verifies(old, b"m", pinned.sign(b"m"))


def test_a_refusal_makes_it_look_for_the_key_again(
    vault: KeyVault, in_vault: Callable[..., KeyVaultSigner]
) -> None:
    vault.make("renewed")
    signer = in_vault(vault.url("renewed"))
    old = signer.public_key()
    vault.make("renewed")
    vault.refuse = (403, {})
    with pytest.raises(PermanentError, match="Key Vault Crypto User"):
        signer.sign(b"m")
    vault.refuse = None
    assert signer.public_key() != old


@pytest.mark.parametrize(
    ("status", "headers", "error", "delay"),
    [
        (429, {"Retry-After": "17"}, TemporaryError, 17.0),
        (429, {}, TemporaryError, 5.0),
        (503, {}, TemporaryError, 5.0),
        (403, {}, PermanentError, None),
        (404, {}, NotFoundError, None),
        (400, {}, PermanentError, None),
    ],
)
def test_what_the_vault_answers(
    vault: KeyVault,
    in_vault: Callable[..., KeyVaultSigner],
    status: int,
    headers: dict[str, str],
    error: type[Exception],
    delay: float | None,
) -> None:
    vault.make("errors")
    signer = in_vault(vault.url("errors"))
    signer.public_key()
    vault.refuse = (status, headers)
    signed = vault.signed
    with pytest.raises(error, match=f"/keys/errors: the vault answered {status}") as caught:
        signer.sign(b"m")
    assert type(caught.value) is error
    assert getattr(caught.value, "delay", None) == delay
    assert vault.signed == signed


def test_a_key_of_another_kind_and_one_that_is_not_there(
    vault: KeyVault, in_vault: Callable[..., KeyVaultSigner]
) -> None:
    vault.make("wide", curve=ec.SECP384R1())
    vault.make_rsa("rsa")
    for name, kind in (("wide", "EC P-384"), ("rsa", "RSA")):
        with pytest.raises(PermanentError, match=f"no EC key on P-256 but {kind}"):
            in_vault(vault.url(name)).sign(b"m")
    with pytest.raises(NotFoundError, match="there is no such key"):
        in_vault(vault.url("nowhere")).sign(b"m")


_X, _Y = "A" * 43, "B" * 43
_EC = {"kty": "EC", "crv": "P-256", "x": _X, "y": _Y}


@pytest.mark.parametrize("call", ["public_key", "sign"])
@pytest.mark.parametrize(
    "body",
    [
        "",
        "<html>sign in to go on</html>",
        "null",
        "[]",
        "1",
        '"key"',
        "{}",
        '{"key": null}',
        '{"key": "x"}',
        '{"key": []}',
        '{"key": {}}',
        json.dumps({"key": {**_EC, "kid": None}}),
        json.dumps({"key": {**_EC, "kid": "https://localhost/keys/a/1", "x": None}}),
        json.dumps({"key": {**_EC, "kid": "https://localhost/keys/a/1", "y": 7}}),
        json.dumps({"key": {**_EC, "kid": "https://localhost/keys/a/1"}}),  # no point of the curve
        pytest.param("[" * 100_000, id="deep"),
    ],
)
def test_a_key_that_is_none_of_key_vault_s(
    vault: KeyVault, in_vault: Callable[..., KeyVaultSigner], body: str, call: str
) -> None:
    vault.make("odd")
    signer = in_vault(vault.url("odd"))
    vault.strange = ("/keys/odd/", body)
    with pytest.raises((TemporaryError, PermanentError), match="/keys/odd") as caught:
        signer.sign(b"m") if call == "sign" else signer.public_key()
    assert len(str(caught.value)) < 500
    vault.strange = None
    assert verifies(signer.public_key(), b"m", signer.sign(b"m"))  # nothing of it was kept


@pytest.mark.parametrize(
    "body",
    [
        "",
        "<html>",
        "null",
        "[]",
        "{}",
        '{"value": null}',
        '{"value": 7}',
        '{"value": "?"}',
        '{"value": "AAAA"}',
        '{"value": {"r": 1}}',
        '{"kid": 1, "value": []}',
    ],
)
def test_a_signature_that_is_none_of_key_vault_s(
    vault: KeyVault, in_vault: Callable[..., KeyVaultSigner], body: str
) -> None:
    vault.make("unsigned")
    signer = in_vault(vault.url("unsigned"))
    signer.public_key()
    vault.strange = ("/sign", body)
    with pytest.raises((TemporaryError, PermanentError), match="/keys/unsigned"):
        signer.sign(b"m")
    vault.strange = None
    assert verifies(signer.public_key(), b"m", signer.sign(b"m"))


def test_a_vault_that_is_away_or_that_there_is_no_token_for(vault: KeyVault, identity: Identity) -> None:
    gone = KeyVaultSigner("https://localhost:1/keys/a", Credential(identity), same_domain=False)
    with pytest.raises(TemporaryError, match="the vault did not answer"):
        gone.sign(b"m")

    class Unlucky(Credential):
        def get_token(self, *scopes: str, **_: object) -> object:  # type: ignore[override]  # it never returns
            raise CredentialUnavailableError("no identity here")

    with pytest.raises(TemporaryError, match="no token for the vault"):
        KeyVaultSigner(vault.url("a"), Unlucky(None), same_domain=False).sign(b"m")


def test_a_signature_of_another_length_is_refused(
    vault: KeyVault, in_vault: Callable[..., KeyVaultSigner], monkeypatch: pytest.MonkeyPatch
) -> None:
    vault.make("short")
    signer = in_vault(vault.url("short"))
    monkeypatch.setattr("azure.keyvault.keys.crypto.CryptographyClient.sign", lambda *_: _Short())
    with pytest.raises(PermanentError, match="a signature of 3 bytes, not ES256's 64"):
        signer.sign(b"m")


class _Short:
    signature = b"abc"


@pytest.mark.parametrize(
    "url",
    ["http://v.vault.azure.net/keys/a", "https://v.vault.azure.net/secrets/a", "https://v/keys", "https:///keys/a"],
)
def test_a_url_that_is_no_key(url: str) -> None:
    with pytest.raises(InputError, match="no key of Key Vault: give https://"):
        KeyVaultSigner(url, Credential(None))


def test_what_the_setting_names(tmp_path: Path) -> None:
    def credential() -> Credential:
        return Credential(None)

    assert open_signer("", credential) is None
    assert isinstance(open_signer(str(tmp_path / "key.pem"), credential), KeyFileSigner)
    assert isinstance(open_signer("https://v.vault.azure.net/keys/a", credential), KeyVaultSigner)
    with pytest.raises(InputError):
        open_signer("http://v.vault.azure.net/keys/a", credential)


def test_the_chain_is_read_each_time(tmp_path: Path) -> None:
    assert open_chain("") is None
    path = tmp_path / "chain.pem"
    read = open_chain(str(path))
    assert read is not None
    with pytest.raises(PermanentError, match="cannot be read"):
        read()
    for content in (b"one", b"two"):
        path.write_bytes(content)
        assert read() == content
