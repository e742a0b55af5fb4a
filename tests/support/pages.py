"""The dashboard in this process, as a browser sees it: a cookie is kept, and forms carry their token."""

import re
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode

import httpx

from groundswell.access.principal import Role
from groundswell.dashboard.app import create
from tests.support.asgi import Client
from tests.support.world import World

ORIGIN = "http://groundswell"
_CSRF = re.compile(r'name="csrf" value="([0-9a-f]{64})"')


class Browser(Client):
    """Paths are whole ones, such as /ui/audit. `csrf` is that of the last page with a form."""

    def __init__(self, world: World) -> None:
        super().__init__(create(world.app))
        self._world = world
        self.cookies: dict[str, str] = {}
        self.csrf = ""
        self.token = ""

    def request(self, method: str, path: str, **rest: Any) -> httpx.Response:
        headers = httpx.Headers(rest.pop("headers", None))
        if self.cookies:
            headers.setdefault("Cookie", "; ".join(f"{name}={value}" for name, value in self.cookies.items()))
        answer = super().request(method, path, headers=headers, **rest)
        for text in answer.headers.get_list("set-cookie"):
            for name, morsel in SimpleCookie(text).items():
                self.cookies[name] = morsel.value
                if morsel["max-age"] == "0":
                    del self.cookies[name]
        if found := _CSRF.search(answer.text):
            self.csrf = found[1]
        return answer

    def send(self, path: str, /, *, headers: dict[str, str] | None = None, **fields: str) -> httpx.Response:
        """A form with its token, from a page of ours."""
        sent = {"Content-Type": "application/x-www-form-urlencoded", "Origin": ORIGIN, **(headers or {})}
        content = urlencode({"csrf": self.csrf, **fields})
        return self.post(path, content=content, headers={name: text for name, text in sent.items() if text})

    def follow(self, answer: httpx.Response) -> str:
        """The page that one comes to after a form, which tells what that did."""
        assert answer.status_code == 303, answer.text
        location: str = answer.headers["location"]
        assert location.endswith("#told"), location
        return self.get(location.removesuffix("#told")).text

    def sign_in(self, *roles: Role, back: str = "/ui/") -> httpx.Response:
        """As a new API token's principal."""
        tokens = self._world.app.tokens
        teams = ["shop"] if Role.REGISTRAR in roles else []
        _, self.token = tokens.create("tests", roles=roles, teams=teams, seconds=86_400, who="test", why="test")
        self.get("/ui/sign-in")
        return self.send("/ui/sign-in", token=self.token, next=back)
