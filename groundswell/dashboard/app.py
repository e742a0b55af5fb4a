"""The dashboard of a product: a Starlette application, mounted in the Function app by `functions/http.py`."""

import time

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Route

from groundswell.api.logs import LogShelf
from groundswell.api.surveys import Surveys
from groundswell.dashboard import (
    assets,
    audit,
    cascades,
    graph,
    history,
    image,
    impact,
    lineage,
    log,
    mending,
    now,
    oncall,
    paste,
    register,
    registered,
    signin,
    stale,
    timeline,
    whole,
)
from groundswell.dashboard.foresight import Foresight
from groundswell.dashboard.guard import Guard, framework
from groundswell.dashboard.shelf import RebuildShelf
from groundswell.dashboard.stale_shelf import StaleShelf
from groundswell.dashboard.tally import Tallies
from groundswell.wiring import App

_SUBJECTS = (
    signin.pages,
    now.pages,
    oncall.pages,
    mending.pages,
    cascades.pages,
    whole.pages,
    image.pages,
    log.pages,
    timeline.pages,
    graph.pages,
    lineage.pages,
    registered.pages,
    impact.pages,
    register.pages,
    paste.pages,
    stale.pages,
    history.pages,
    audit.pages,
)
"""A new subject is a module with its `pages`, named here."""


_LONGEST = 900.0
"""Seconds that a registry may be read for what is stale: more than a request may take, for no page waits for it."""


def create(product: App) -> Starlette:
    """The dashboard. Raises InputError when the settings do not lead to a store."""
    _ = product.store
    app = Starlette(
        routes=[
            Route(f"{assets.PLACE}/{{name}}", assets.serve),
            *(route for pages in _SUBJECTS for route in pages.routes),
        ],
        middleware=[Middleware(Guard)],
        exception_handlers={HTTPException: framework},
    )
    app.router.redirect_slashes = False
    app.state.product = product
    surveys = Surveys(product, time.monotonic, patience=2 * _LONGEST, longest=_LONGEST)
    app.state.parts = {
        Tallies: Tallies(product),
        RebuildShelf: RebuildShelf(),
        LogShelf: LogShelf(product, time.monotonic),
        Foresight: Foresight(product),
        StaleShelf: StaleShelf(surveys.stale, product.clock),
    }
    return app
