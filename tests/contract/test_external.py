"""The external adapter against a real Distribution registry that wants a password, over TLS."""

import contextlib
from collections.abc import Iterator

import pytest

from graph.reference import Reference
from groundswell.errors import PermanentError
from groundswell.local.push import Login
from groundswell.registry.external import ExternalRegistry
from groundswell.settings import ExternalRegistry as ExternalLogin
from tests.support import oci
from tests.support.login_registry import login_registry

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Login]:
    with login_registry(tmp_path_factory.mktemp("registry")) as login, pytest.MonkeyPatch.context() as patch:
        patch.setenv("REQUESTS_CA_BUNDLE", str(login.ca))
        yield login


def client(place: Login) -> oci.Client:
    return oci.Client(f"https://{place.registry}", place.user, place.password, str(place.ca))


def test_basic_authentication_and_conditional_reading(place: Login) -> None:
    login = ExternalLogin(username=place.user, password=place.password, private=True)
    first, second = oci.index(oci.image(b"one")), oci.index(oci.image(b"two"))
    reference = Reference.parse(f"{place.registry}/team/base:1")
    with (
        contextlib.closing(client(place)) as pushing,
        contextlib.closing(ExternalRegistry({place.registry: login})) as adapter,
    ):
        pushing.push(first, "team/base", "1")
        assert adapter.digest(reference) == first.digest
        assert adapter.digest(reference) == first.digest  # by now with the ETag that the registry gave
        assert len(adapter._etags) == 1
        pushing.push(second, "team/base", "1")
        assert adapter.digest(reference) == second.digest
        image = adapter.image(reference)
        assert image is not None
        assert image.platforms[0].diff_ids == (oci.digest_of(b"two"),)


@pytest.mark.parametrize(
    "login", [ExternalLogin(private=True), ExternalLogin(username="x", password="y", private=True)]
)
def test_without_the_right_password(place: Login, login: ExternalLogin) -> None:
    said = "answered 401" if login.username else "wants a login"
    with (
        contextlib.closing(ExternalRegistry({place.registry: login})) as adapter,
        pytest.raises(PermanentError, match=said),
    ):
        adapter.digest(Reference.parse(f"{place.registry}/team/base:1"))
