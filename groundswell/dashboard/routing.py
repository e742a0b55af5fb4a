"""How a page is added: a plain function under an address, with the operation of the API that it stands for.

Whoever may not do the operation does not get the page; the table is `access/permissions.py`, the only one. Before
the function runs it is known who asks, and, where something is changed, that a page of ours asked for it. As in the
API everything beneath is synchronous and runs on the thread pool (docs/adr/0001).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from groundswell.access import easy_auth, permissions
from groundswell.access.principal import ForbiddenError, Principal, ThrottledError, UnauthenticatedError
from groundswell.api.parameters import Parameters, read
from groundswell.api.problems import TooLargeError
from groundswell.dashboard import render
from groundswell.dashboard.session import FIELD, HEADER, Browser, keeps_back
from groundswell.errors import InputError
from groundswell.wiring import App

_FORM = "application/x-www-form-urlencoded"
_MOST = 64 * 1024
_MOST_FIELDS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request whose sender is known (`principal` is None on the sign-in page only).

    `query` and `form` hold the texts of each field, `path` the parameters of the address.
    """

    request: Request
    product: App
    browser: Browser
    principal: Principal | None
    query: Mapping[str, Sequence[str]]
    form: Mapping[str, Sequence[str]]

    @property
    def path(self) -> Mapping[str, str]:
        return self.request.path_params

    @property
    def who(self) -> Principal:
        if self.principal is None:
            raise UnauthenticatedError("nobody is signed in here")
        return self.principal

    def may(self, operation: str) -> bool:
        """Whether who asks may do the operation: what one may not do is not offered."""
        try:
            permissions.check(self.who, operation)
        except ForbiddenError:
            return False
        return True

    def read[P: Parameters](self, model: type[P], **defaults: str) -> P:
        """The query as the parameters that the API's operation takes. Raises InvalidError."""
        return read(model, {**{name: [text] for name, text in defaults.items()}, **self.query})

    def part[T](self, kind: type[T]) -> T:
        """What the dashboard made once, in `app.py`, for all requests."""
        part: T = self.request.app.state.parts[kind]
        return part

    def field(self, name: str) -> str:
        """A field of the form, without blanks around; empty when it was not sent."""
        return self.form.get(name, [""])[-1].strip()

    def render(self, template: str, **context: Any) -> Response:
        """A page, with the cookie that its forms need."""
        response = render.page(template, self, **context)
        if not self.browser.known and not keeps_back(self.request):
            self.browser.give(response, self.browser.secret)
        return response

    def see(self, address: str) -> Response:
        """Go to another page of ours, after something was done."""
        return RedirectResponse(address, 303)


type Handler = Callable[[Asked], Response]


class Pages:
    """The pages of one subject; `app.py` puts them together."""

    def __init__(self) -> None:
        self.routes: list[Route] = []
        self.operations: list[str | None] = []

    def page(self, path: str, operation: str) -> Callable[[Handler], Handler]:
        """A GET of `/ui` + `path` for whoever may do `operation`."""
        return self._add(path, "GET", operation)

    def act(self, path: str, operation: str, *, most: int = _MOST) -> Callable[[Handler], Handler]:
        """A POST of a form of `most` bytes to `/ui` + `path` by whoever may do `operation`."""
        return self._add(path, "POST", operation, most)

    def open(self, path: str, method: str) -> Callable[[Handler], Handler]:
        """For anybody: to sign in and out."""
        return self._add(path, method, None)

    def _add(
        self, path: str, method: str, operation: str | None, most: int = _MOST
    ) -> Callable[[Handler], Handler]:
        def add(handler: Handler) -> Handler:
            async def endpoint(request: Request) -> Response:
                form = await _form(request, most) if method == "POST" else {}
                return await run_in_threadpool(_handle, request, form, operation, handler)

            name = f"{method} {path}"
            self.operations.append(operation)
            self.routes.append(Route(f"/ui{path}", endpoint, methods=[method], name=name))
            return handler

        return add


def _handle(
    request: Request, form: Mapping[str, Sequence[str]], operation: str | None, handler: Handler
) -> Response:
    product: App = request.app.state.product
    browser = Browser.of(request)
    principal = _principal(request, product, browser) if operation else None
    asked = Asked(
        request=request,
        product=product,
        browser=browser,
        principal=principal,
        query=_fields(request.url.query),
        form=form,
    )
    request.scope["groundswell.asked"] = asked  # a page that says what was wrong shows who is signed in
    if principal and operation:
        if wait := product.buckets.take(principal.id):
            raise ThrottledError(f"{principal.name} sends too many requests: wait, and send fewer", delay=wait)
        permissions.check(principal, operation)
    if request.method == "POST":
        browser.check(request, request.headers.get(HEADER) or asked.field(FIELD))
    return handler(asked)


def _principal(request: Request, product: App, browser: Browser) -> Principal:
    """Who is signed in: by the platform in front where there is one, else by a session."""
    if product.settings.easy_auth and (told := request.headers.get(easy_auth.HEADER)):
        return easy_auth.principal(told, product.settings.entra_tenant)
    if not browser.known:
        raise UnauthenticatedError("nobody is signed in here")
    return product.sessions.principal(browser.secret)


async def _form(request: Request, most: int) -> Mapping[str, Sequence[str]]:
    kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > most:
            raise TooLargeError(f"the form is larger than {most // 1024} KiB, which is the limit")
    if body and kind != _FORM:
        raise InputError(f"a form is sent as {_FORM}")
    try:
        return _fields(body.decode("ascii"))
    except UnicodeDecodeError as exc:
        raise InputError(f"a form is sent as {_FORM}, which is ASCII") from exc


def _fields(text: str) -> Mapping[str, Sequence[str]]:
    try:
        return parse_qs(text, keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
    except ValueError as exc:
        raise InputError(f"the fields cannot be decoded (UTF-8, {_MOST_FIELDS} at most)") from exc
