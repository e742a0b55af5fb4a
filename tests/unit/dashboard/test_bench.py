"""Every page that one can open is measured (`make bench ONLY=page`)."""

from starlette.routing import Route

from bench import page
from groundswell.dashboard.app import create
from tests.support.world import World


def test_every_page_is_measured() -> None:
    with_parameters = {path for path in page.paths() if "{" in path}
    assert with_parameters == page.PARAMETERS.keys(), "bench/page.py says how a page with parameters is opened"
    assert page.MORE.keys() <= set(page.paths()) - with_parameters


def test_the_pages_are_those_that_the_dashboard_serves(world: World) -> None:
    served = {
        route.path
        for route in create(world.app).routes
        if isinstance(route, Route) and "GET" in (route.methods or ())
    }
    assert served == {*page.paths(), "/ui/static/{name}"}
