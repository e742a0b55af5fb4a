"""The API without a server: for commands in a process that has the store, and ask as whoever is at the keyboard.

Whoever can open the store needs no token for it. What goes wrong on our side is raised as it is: there is no log in
which somebody else would have to look it up.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from groundswell.access.principal import Principal, Role
from groundswell.api.app import routed
from groundswell.api.authorisation import authorised
from groundswell.api.problems import answer, kind_of
from groundswell.api.surveys import Surveys
from groundswell.errors import GroundswellError
from groundswell.wiring import App


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalPerson(Principal):
    """Whoever has the store may do everything; the trail has the name as it is."""

    @property
    def who(self) -> str:
        return self.name


def create(product: App, who: Callable[[], str]) -> FastAPI:
    """The API of a product for the person that `who` names. Raises InputError as `groundswell.api.app.create`."""
    api = routed(product)
    api.state.surveys = Surveys(product, time.monotonic, longest=math.inf)  # nobody ends a request here

    def person() -> Principal:
        name = who()
        return LocalPerson(id=f"local:{name}", name=name, roles=frozenset(Role))

    api.dependency_overrides[authorised] = person
    for error in (GroundswellError, RequestValidationError, HTTPException):
        api.add_exception_handler(error, _answer)
    return api


async def _answer(request: Request, error: Exception) -> Response:
    if isinstance(error, GroundswellError) and kind_of(error).status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise error
    return await answer(request, error)
