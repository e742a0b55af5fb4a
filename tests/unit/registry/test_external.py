"""Registries of somebody else, well-behaved and not."""

import asyncio
from collections.abc import Iterator

import pytest
from aiohttp import web

from graph.reference import Reference
from groundswell.errors import PermanentError, TemporaryError
from groundswell.registry import address, external
from groundswell.registry.external import PUBLIC, ExternalRegistry
from groundswell.registry.port import NotAllowedError, NotAnImageError, PausedError
from groundswell.settings import ExternalRegistry as Login
from tests.support import oci
from tests.support.strange_registry import Stranger, Strangers


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Strangers]:
    strangers = Strangers(tmp_path_factory.mktemp("strangers"))
    with strangers.servers, pytest.MonkeyPatch.context() as patch:
        patch.setenv("REQUESTS_CA_BUNDLE", str(strangers.certificates.ca))
        yield strangers


@pytest.fixture
def strangers(servers: Strangers) -> Iterator[Strangers]:
    yield servers
    servers.close_adapters()


def at(stranger: Stranger, name: str = "a:1") -> Reference:
    return Reference.parse(f"{stranger.host}/{name}")


# Reading.


def test_a_digest_takes_one_look(strangers: Strangers) -> None:
    stranger = strangers.serve(Stranger())
    assert strangers.adapter(stranger).digest(at(stranger)) == stranger.content.digest
    assert stranger.methods() == ["HEAD /v2/a/manifests/1"]


@pytest.mark.parametrize("tells_digest", [True, False])
def test_what_did_not_change_is_not_sent_again(strangers: Strangers, tells_digest: bool) -> None:
    stranger = strangers.serve(Stranger(etags=True, tells_digest=tells_digest))
    adapter = strangers.adapter(stranger)
    first, second = oci.image(b"1"), oci.image(b"2")
    for content in (first, first, second, second):
        stranger.content = content
        assert adapter.digest(at(stranger)) == content.digest
    looks = ["HEAD"] * 4 if tells_digest else ["HEAD", "GET", "HEAD", "HEAD", "GET", "HEAD"]
    assert [method for method, _, _ in stranger.asked] == looks


def test_a_304_that_nobody_asked_for_is_no_answer(strangers: Strangers) -> None:
    stranger = strangers.serve(Stranger(hook=always(304)))
    with pytest.raises(PermanentError, match="answered 304"):
        strangers.adapter(stranger).digest(at(stranger))


def test_the_etags_kept_are_limited(strangers: Strangers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(external, "_MAX_ETAGS", 2)
    stranger = strangers.serve(Stranger(etags=True))
    adapter = strangers.adapter(stranger)
    for name in ("a:1", "b:1", "c:1"):
        assert adapter.digest(at(stranger, name)) == stranger.content.digest
    assert len(adapter._etags) == 1


@pytest.mark.parametrize("tells_digest", [True, False])
def test_an_image_is_read_once(strangers: Strangers, tells_digest: bool) -> None:
    one, two = oci.image(b"x"), oci.image(b"x", b"y", platform="linux/arm64")
    stranger = strangers.serve(Stranger(content=oci.index(one, two), tells_digest=tells_digest))
    adapter = strangers.adapter(stranger)
    image = adapter.image(at(stranger))
    assert image is not None
    assert image.digest == stranger.content.digest
    assert [each.platform for each in image.platforms] == ["linux/amd64", "linux/arm64"]
    before = len(stranger.asked)
    assert adapter.image(at(stranger).with_digest(image.digest)) is image
    assert len(stranger.asked) == before


def test_the_images_kept_are_limited(strangers: Strangers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(external, "_MAX_IMAGES", 1)
    stranger = strangers.serve(Stranger())
    adapter = strangers.adapter(stranger)
    for name in ("a:1", "b:1"):
        assert adapter.image(at(stranger, name)) is not None
    assert [repository for _, repository, _ in adapter._images] == ["b"]


def test_what_is_not_there(strangers: Strangers) -> None:
    stranger = strangers.serve(Stranger())
    adapter = strangers.adapter(stranger)
    assert adapter.digest(at(stranger, "a:2")) is None
    assert adapter.image(at(stranger, "a:2")) is None
    assert adapter.image(at(stranger, f"a@sha256:{'0' * 64}")) is None
    with pytest.raises(PermanentError, match="the index names it, but"):
        adapter.provenance(at(stranger, f"a@sha256:{'0' * 64}"))
    with pytest.raises(PermanentError, match="neither a tag nor a digest"):
        adapter.digest(Reference(registry=stranger.host, repository="a"))


def test_a_digest_gone_between_look_and_pull(strangers: Strangers) -> None:
    async def gone(request: web.Request) -> web.Response | None:
        return web.Response(status=404) if request.method == "GET" else None

    stranger = strangers.serve(Stranger(hook=gone, tells_digest=False))
    assert strangers.adapter(stranger).digest(at(stranger)) is None


def test_what_is_no_image(strangers: Strangers) -> None:
    chart = oci.Content(manifest=b'{"schemaVersion": 2}', media_type="application/vnd.cncf.helm.chart")
    stranger = strangers.serve(Stranger(content=chart))
    with pytest.raises(NotAnImageError, match="neither an image nor an index"):
        strangers.adapter(stranger).image(at(stranger))


def test_a_manifest_may_say_itself_what_it_is(strangers: Strangers) -> None:
    stranger = strangers.serve(Stranger(headers={"Content-Type": "application/json; charset=utf-8"}))
    image = strangers.adapter(stranger).image(at(stranger))
    assert image is not None
    assert image.media_type == oci.OCI_MANIFEST


def test_nothing_is_listed_or_promoted(strangers: Strangers) -> None:
    stranger = strangers.serve(Stranger())
    adapter = strangers.adapter(stranger)
    with pytest.raises(PermanentError, match="repositories are not listed"):
        adapter.repositories(stranger.host)
    with pytest.raises(PermanentError, match="tags are not listed"):
        adapter.tagged(stranger.host, "a")
    with pytest.raises(PermanentError, match="manifests are not listed"):
        adapter.untagged(stranger.host, "a", 5)
    with pytest.raises(PermanentError, match=r"nothing is promoted there.*GROUNDSWELL_REGISTRIES"):
        adapter.promote(at(stranger, f"a@{stranger.content.digest}"), ["1"])
    with pytest.raises(PermanentError, match="nothing is rebased there"):
        adapter.rebase(at(stranger), old=at(stranger), new=at(stranger), tag="1")
    with pytest.raises(PermanentError, match="no tag is taken away there"):
        adapter.untag(at(stranger))
    assert stranger.asked == []


# Whom we ask.


@pytest.mark.parametrize("host", ["evil.example", "169.254.169.254", "localhost:8080", "docker.io.evil.example"])
def test_only_the_list_is_asked(host: str) -> None:
    with pytest.raises(NotAllowedError, match=r"is not asked.*GROUNDSWELL_EXTERNAL_REGISTRIES"):
        ExternalRegistry({}).digest(Reference.parse(f"{host}/a:1"))


def test_docker_hub_is_asked_where_it_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def send(self: object, method: str, url: str, **_: object) -> external.Answer:
        asked.append(url)
        return external.Answer(url=url, status=404, headers={}, body=b"")

    monkeypatch.setattr(external.Http, "send", send)
    assert ExternalRegistry({}).digest(Reference.parse("alpine")) is None
    assert asked == ["https://registry-1.docker.io/v2/library/alpine/manifests/latest"]
    assert "docker.io" in PUBLIC


def test_a_name_that_leads_to_a_private_address_gets_no_byte(strangers: Strangers) -> None:
    stranger = strangers.serve(Stranger())
    adapter = strangers.adapter(stranger, login=Login())
    with pytest.raises(PermanentError, match=r"is at 127\.0\.0\.1, which is no public address"):
        adapter.digest(at(stranger))
    assert stranger.asked == []


def test_a_public_address_is_asked(strangers: Strangers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(address, "public", lambda text: text == "127.0.0.1")
    stranger = strangers.serve(Stranger())
    assert strangers.adapter(stranger, login=Login()).digest(at(stranger)) == stranger.content.digest


# Logging in.


def test_a_token_is_fetched_once_and_kept_until_it_expires(strangers: Strangers) -> None:
    stranger, time = strangers.serve(Stranger(token="t1", token_seconds=300)), [1000.0]
    adapter = strangers.adapter(stranger, now=lambda: time[0])
    for _ in range(3):
        assert adapter.digest(at(stranger)) == stranger.content.digest
    token = "GET /token?scope=repository%3Aa%3Apull&service=here"
    look = "HEAD /v2/a/manifests/1"
    assert stranger.methods() == [look, token, look, look, look]
    time[0] += 296
    assert adapter.digest(at(stranger)) == stranger.content.digest
    assert stranger.methods()[5:] == [look, token, look]


def test_a_token_that_was_withdrawn_is_replaced(strangers: Strangers) -> None:
    stranger = strangers.serve(Stranger(token="t1"))
    adapter = strangers.adapter(stranger)
    assert adapter.digest(at(stranger)) == stranger.content.digest
    stranger.token = "t2"
    assert adapter.digest(at(stranger)) == stranger.content.digest


def test_a_login_goes_to_the_token_server_only(strangers: Strangers) -> None:
    stranger = strangers.serve(Stranger(token="t1", token_seconds=None))
    adapter = strangers.adapter(stranger, login=Login(username="u", password="p", private=True))
    assert adapter.digest(at(stranger)) == stranger.content.digest
    assert [secret for _, _, secret in stranger.asked] == ["", "Basic dTpw", "Bearer t1"]


def test_basic_authentication_is_asked_for_once(strangers: Strangers) -> None:
    async def basic(request: web.Request) -> web.Response | None:
        if request.headers.get("Authorization") == "Basic dTpw":
            return None
        return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="here"'})

    stranger = strangers.serve(Stranger(hook=basic))
    adapter = strangers.adapter(stranger, login=Login(username="u", password="p", private=True))
    for _ in range(2):
        assert adapter.digest(at(stranger)) == stranger.content.digest
    assert [secret for _, _, secret in stranger.asked] == ["", "Basic dTpw", "Basic dTpw"]


def test_a_registry_that_always_wants_another_login(strangers: Strangers) -> None:
    async def never(request: web.Request) -> web.Response | None:
        if request.path == "/token":
            return None
        return web.Response(
            status=401, headers={"WWW-Authenticate": f'Bearer realm="https://{stranger.host}/token"'}
        )

    stranger = strangers.serve(Stranger(token="t1", hook=never))
    adapter = strangers.adapter(stranger)
    with pytest.raises(PermanentError, match="answered 401: there is no such repository, or it is not open"):
        adapter.digest(at(stranger))
    assert len(stranger.asked) == 3
    assert adapter._tokens.known(at(stranger)) == ""


@pytest.mark.parametrize(
    ("realm", "said"),
    [
        ("https://evil.example/token", "sends for a token to evil.example, which is not asked"),
        ("http://localhost/token", "names no https address"),
        ("https://me@localhost/token", "names no https address"),
        ("https://[/token", "names no https address"),
        ("https://localhost/token#x", "names no https address"),
        ("/token", "names no https address"),
    ],
)
def test_a_token_server_that_is_a_stranger_is_not_asked(strangers: Strangers, realm: str, said: str) -> None:
    stranger = strangers.serve(Stranger(token="t1", realm=realm))
    adapter = strangers.adapter(stranger, login=Login(username="u", password="p", private=True))
    with pytest.raises(PermanentError, match=said):
        adapter.digest(at(stranger))
    assert len(stranger.asked) == 1


def test_a_token_server_on_another_host_may_be_named(strangers: Strangers) -> None:
    giver = strangers.serve(Stranger(token="t1"))
    stranger = strangers.serve(Stranger(token="t1", realm=f"https://{giver.host}/token?account=x"))
    adapter = strangers.adapter(stranger, login=Login(private=True, token_host=giver.host))
    assert adapter.digest(at(stranger)) == stranger.content.digest
    assert giver.methods() == ["GET /token?account=x&scope=repository%3Aa%3Apull&service=here"]


@pytest.mark.parametrize("challenge", ['Basic realm="x"', "Negotiate", ""])
def test_a_login_that_we_do_not_have(strangers: Strangers, challenge: str) -> None:
    stranger = strangers.serve(Stranger(hook=always(401, **{"WWW-Authenticate": challenge})))
    with pytest.raises(PermanentError, match="wants a login; give its username and password"):
        strangers.adapter(stranger).digest(at(stranger))


@pytest.mark.parametrize(
    ("status", "text", "error", "said"),
    [
        (503, "", TemporaryError, "answered 503"),
        (429, "", TemporaryError, "answered 429"),
        (403, "", PermanentError, "answered 403; see its login"),
        (200, "{}", PermanentError, "holds no token"),
        (200, '{"token": 5}', PermanentError, "holds no token"),
        (200, '{"token": "a\\r\\nb"}', PermanentError, "holds no token"),
        (200, "x" * 300_000, PermanentError, "more than the 262144 bytes"),
        (200, "<html>", PermanentError, "not JSON"),
    ],
)
def test_a_token_server_that_gives_none(
    strangers: Strangers, status: int, text: str, error: type[Exception], said: str
) -> None:
    async def answer(request: web.Request) -> web.Response | None:
        return web.Response(status=status, text=text) if request.path == "/token" else None

    stranger = strangers.serve(Stranger(token="t1", hook=answer))
    with pytest.raises(error, match=said):
        strangers.adapter(stranger).digest(at(stranger))


@pytest.mark.parametrize("seconds", ["-1", "0", "9" * 400, "1e999", "true", '"x"'])
def test_a_token_is_taken_however_long_it_is_said_to_last(strangers: Strangers, seconds: str) -> None:
    async def answer(request: web.Request) -> web.Response | None:
        given = f'{{"token": "t1", "expires_in": {seconds}}}'
        return web.Response(text=given) if request.path == "/token" else None

    stranger = strangers.serve(Stranger(token="t1", hook=answer))
    assert strangers.adapter(stranger).digest(at(stranger)) == stranger.content.digest


def test_the_tokens_kept_are_limited(strangers: Strangers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("groundswell.registry.external_tokens._MAX_KEPT", 1)
    stranger = strangers.serve(Stranger(token="t1"))
    adapter = strangers.adapter(stranger)
    for name in ("a:1", "b:1"):
        adapter.digest(at(stranger, name))
    assert (adapter._tokens.known(at(stranger, "a:1")), adapter._tokens.known(at(stranger, "b:1"))) == (
        "",
        "Bearer t1",
    )


# How they misbehave.


def always(status: int, **headers: str):  # type: ignore[no-untyped-def]  # aiohttp's own handler type
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, headers=headers)

    return answer


def test_a_registry_that_is_asked_too_much_is_left_alone(strangers: Strangers) -> None:
    stranger, time = strangers.serve(Stranger(hook=always(429, **{"Retry-After": "60"}))), [1000.0]
    adapter = strangers.adapter(stranger, now=lambda: time[0])
    with pytest.raises(TemporaryError, match="answered 429") as caught:
        adapter.digest(at(stranger))
    assert caught.value.delay == 60.0
    time[0] += 20
    with pytest.raises(PausedError, match="left alone for 40 s more"):
        adapter.digest(at(stranger, "b:1"))
    assert len(stranger.asked) == 1
    time[0] += 40
    stranger.hook = None
    assert adapter.digest(at(stranger)) == stranger.content.digest


def test_who_has_no_pulls_left_may_still_look(strangers: Strangers) -> None:
    stranger = strangers.serve(
        Stranger(headers={"RateLimit-Limit": "100;w=21600", "RateLimit-Remaining": "0;w=21600"})
    )
    adapter = strangers.adapter(stranger)
    for _ in range(2):
        assert adapter.digest(at(stranger)) == stranger.content.digest
    with pytest.raises(PausedError):
        adapter.image(at(stranger))
    assert [method for method, _, _ in stranger.asked] == ["HEAD"] * 3


@pytest.mark.parametrize(
    ("status", "error", "delay"),
    [
        (500, TemporaryError, 5.0),
        (408, TemporaryError, 5.0),
        (403, PermanentError, None),
        (400, PermanentError, None),
    ],
)
def test_errors(strangers: Strangers, status: int, error: type[Exception], delay: float | None) -> None:
    stranger = strangers.serve(Stranger(hook=always(status)))
    with pytest.raises(error, match=f"{stranger.host}/a:1: the registry answered {status}") as caught:
        strangers.adapter(stranger).digest(at(stranger))
    assert getattr(caught.value, "delay", None) == delay


@pytest.mark.parametrize("digest", ["sha256:short", "md5:" + "0" * 32, "sha256:" + "G" * 64, "../../etc/passwd"])
def test_a_digest_that_is_none(strangers: Strangers, digest: str) -> None:
    stranger = strangers.serve(Stranger(headers={"Docker-Content-Digest": digest}))
    adapter = strangers.adapter(stranger)
    with pytest.raises(PermanentError, match="which is none"):
        adapter.digest(at(stranger))


def test_a_manifest_with_a_digest_that_is_none(strangers: Strangers) -> None:
    stranger = strangers.serve(Stranger(headers={"Docker-Content-Digest": "sha256:short"}))
    with pytest.raises(PermanentError, match="is no digest that can be checked"):
        strangers.adapter(stranger)._find(at(stranger))


def test_another_digest_than_was_asked_for(strangers: Strangers) -> None:
    wrong = "sha256:" + "1" * 64
    stranger = strangers.serve(Stranger(headers={"Docker-Content-Digest": wrong}))
    adapter = strangers.adapter(stranger)
    with pytest.raises(TemporaryError, match="does not have the digest it should have"):
        adapter.digest(at(stranger, f"a@{stranger.content.digest}"))

    async def other(request: web.Request) -> web.Response | None:
        return web.Response(body=b"{}") if request.method == "GET" else None

    stranger.hook, stranger.headers = other, {}
    with pytest.raises(TemporaryError, match="what the registry sent does not have the digest"):
        adapter.image(at(stranger))


def test_a_digest_of_a_kind_that_cannot_be_checked(strangers: Strangers) -> None:
    content = oci.image(b"x")
    manifest = content.manifest.replace(b'"digest": "sha256:', b'"digest": "blake3:', 1)
    stranger = strangers.serve(Stranger(content=oci.Content(manifest=manifest, media_type=content.media_type)))
    with pytest.raises(PermanentError, match=r"names a blob by .*which is no digest"):
        strangers.adapter(stranger).image(at(stranger))


def test_a_config_that_is_missing_or_another(strangers: Strangers) -> None:
    status = 404

    async def blob(request: web.Request) -> web.Response | None:
        return web.Response(status=status, body=b"{}") if "/blobs/" in request.path else None

    stranger = strangers.serve(Stranger(hook=blob))
    adapter = strangers.adapter(stranger)
    with pytest.raises(PermanentError, match="names it, but it is missing"):
        adapter.image(at(stranger))
    status = 200
    with pytest.raises(TemporaryError, match="does not have the digest it should have"):
        adapter.image(at(stranger))


def test_an_answer_without_an_end(strangers: Strangers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(external, "MAX_MANIFEST", 200_000)

    async def much(request: web.Request) -> web.StreamResponse | None:
        if request.method == "HEAD":
            return None
        answer = web.StreamResponse()
        await answer.prepare(request)
        for _ in range(1000):
            await answer.write(b"x" * 65536)
        return answer

    stranger = strangers.serve(Stranger(hook=much, tells_digest=False))
    with pytest.raises(PermanentError, match=r"more than the .* bytes allowed"):
        strangers.adapter(stranger).digest(at(stranger))


def test_one_that_hangs_and_one_that_dribbles(strangers: Strangers) -> None:
    async def hang(_: web.Request) -> web.Response:
        await asyncio.sleep(1)
        return web.Response(status=500)

    async def dribble(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Length": "100000"})
        await answer.prepare(request)
        for _ in range(40):
            await answer.write(b"x")
            await asyncio.sleep(0.05)
        return answer

    stranger = strangers.serve(Stranger(hook=hang))
    with pytest.raises(TemporaryError, match="did not answer"):
        strangers.adapter(stranger, read_seconds=0.2).digest(at(stranger))
    stranger.hook = dribble
    with pytest.raises(TemporaryError, match=r"took more than 0\.2 s"):
        strangers.adapter(stranger, read_seconds=1.0, whole_seconds=0.2).image(
            at(stranger, f"a@{stranger.content.digest}")
        )


def test_an_answer_that_breaks_off(strangers: Strangers) -> None:
    async def half(request: web.Request) -> web.StreamResponse | None:
        answer = web.StreamResponse(headers={"Content-Length": "100000"})
        await answer.prepare(request)
        await answer.write(b"x")
        assert request.transport is not None
        request.transport.abort()
        return answer

    stranger = strangers.serve(Stranger(hook=half))
    with pytest.raises(TemporaryError, match="did not answer"):
        strangers.adapter(stranger).image(at(stranger, f"a@{stranger.content.digest}"))


def test_nobody_listens(strangers: Strangers) -> None:
    nobody = Stranger(port=1)
    with pytest.raises(TemporaryError, match="did not answer"):
        strangers.adapter(nobody).digest(at(nobody))


# Where they send us.


def redirecting(target: str, only: str = ""):  # type: ignore[no-untyped-def]  # aiohttp's own handler type
    async def answer(request: web.Request) -> web.Response | None:
        if only not in request.path or request.path == "/token":
            return None
        return web.Response(status=307, headers={"Location": target.replace("{path}", request.path)})

    return answer


def test_another_host_sees_no_token(strangers: Strangers) -> None:
    storage = strangers.serve(Stranger())
    stranger = strangers.serve(Stranger(token="t1"))

    async def move(request: web.Request) -> web.Response | None:
        if "/blobs/" in request.path and request.headers.get("Authorization") == "Bearer t1":
            return web.Response(status=307, headers={"Location": f"https://{storage.host}{request.path}"})
        return None

    stranger.hook = move
    image = strangers.adapter(stranger).image(at(stranger))
    assert image is not None
    assert [secret for _, _, secret in storage.asked] == [""]


def test_manifests_may_be_elsewhere(strangers: Strangers) -> None:
    """As those of registry.k8s.io are."""
    behind = strangers.serve(Stranger())
    front = strangers.serve(Stranger(hook=redirecting(f"https://{behind.host}{{path}}")))
    adapter = strangers.adapter(front)
    assert adapter.digest(at(front)) == behind.content.digest
    assert adapter.image(at(front)) is not None


def test_a_login_that_another_host_wants_is_not_given(strangers: Strangers) -> None:
    behind = strangers.serve(Stranger(token="t2"))
    front = strangers.serve(Stranger(hook=redirecting(f"https://{behind.host}{{path}}")))
    adapter = strangers.adapter(front, login=Login(username="u", password="p", private=True))
    with pytest.raises(PermanentError, match="answered 401"):
        adapter.digest(at(front))
    assert behind.methods() == ["HEAD /v2/a/manifests/1"]


@pytest.mark.parametrize(
    "target",
    ["http://localhost/x", "https://me:you@localhost/x", "file:///etc/passwd", "https://[/x", ""],
)
def test_a_redirect_that_is_not_followed(strangers: Strangers, target: str) -> None:
    stranger = strangers.serve(Stranger(hook=redirecting(target)))
    with pytest.raises(PermanentError, match="redirects to something that is no https address"):
        strangers.adapter(stranger).digest(at(stranger))


@pytest.mark.parametrize(
    "target", ["https://localhost:99999999/x", "https://xn--/x", f"https://{'a' * 70}.example/x"]
)
def test_a_redirect_to_an_address_that_is_none(strangers: Strangers, target: str) -> None:
    stranger = strangers.serve(Stranger(hook=redirecting(target)))
    with pytest.raises((PermanentError, TemporaryError), match=r"sent to an address that is none|did not answer"):
        strangers.adapter(stranger).digest(at(stranger))
    assert len(stranger.asked) == 1


def test_a_redirect_with_an_endless_body(strangers: Strangers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(external, "MAX_MANIFEST", 200_000)

    async def much(request: web.Request) -> web.StreamResponse | None:
        answer = web.StreamResponse(status=307, headers={"Location": f"https://{stranger.host}/else"})
        await answer.prepare(request)
        for _ in range(1000):
            await answer.write(b"x" * 65536)
        return answer

    stranger = strangers.serve(Stranger(hook=much))
    with pytest.raises(PermanentError, match=r"more than the .* bytes allowed"):
        strangers.adapter(stranger).image(at(stranger, f"a@{stranger.content.digest}"))
    assert len(stranger.asked) == 1


def test_redirects_have_an_end(strangers: Strangers) -> None:
    stranger = strangers.serve(Stranger(hook=redirecting("{path}")))
    with pytest.raises(PermanentError, match="more than 4 redirects"):
        strangers.adapter(stranger).digest(at(stranger))
    assert len(stranger.asked) == 5
