"""Route templates, and which function answers."""

import pytest

from groundswell.errors import InputError
from groundswell.local.host import routes
from groundswell.local.host.templates import parse
from groundswell.local.host.worker import Function

MATCHES = [
    ("products", "/products", {}),
    ("products", "/Products/", {}),
    ("products", "/product", None),
    ("a.b", "/axb", None),
    ("", "/", {}),
    ("{id}", "/7", {"id": "7"}),
    ("{id}", "/", None),
    ("{id}", "/a/b", None),
    ("{pod-name}", "/web-0", {"pod-name": "web-0"}),
    ("{id?}", "/", {}),
    ("{id?}", "/7", {"id": "7"}),
    ("x/{id=5}", "/x", {"id": "5"}),
    ("x/{id=5}", "/x/6", {"id": "6"}),
    ("x/{*rest}", "/x", {}),
    ("x/{*rest}", "/x/a/b", {"rest": "a/b"}),
    ("x/{**rest}", "/x/a//b/", {"rest": "a//b/"}),
    ("{*rest}", "/", {}),
    ("files/{name}.{ext}", "/files/a.b.txt", {"name": "a", "ext": "b.txt"}),
    ("v{major:int}/x", "/v2/x", {"major": "2"}),
    ("v{major:int}/x", "/vx/x", None),
    ("{n:int}", "/-5", {"n": "-5"}),
    ("{n:int}", "/2147483648", None),
    ("{n:int}", "/" + "9" * 5000, None),
    ("{n:int}", "/٣", None),
    ("{n:long}", "/2147483648", {"n": "2147483648"}),
    ("{n:int:min(1)}", "/0", None),
    ("{n:int:min(1)?}", "/", {}),
    ("{n:max(9)}", "/10", None),
    ("{n:range(3,5)}", "/5", {"n": "5"}),
    ("{n:range(3,5)}", "/6", None),
    ("{n:range(3,5)}", "/" + "9" * 5000, None),
    ("{w:alpha}", "/abC", {"w": "abC"}),
    ("{w:alpha}", "/ab1", None),
    ("{b:bool}", "/TRUE", {"b": "TRUE"}),
    ("{b:bool}", "/1", None),
    ("{g:guid}", "/0af76519-16cd-43dd-8448-eb211c80319c", {"g": "0af76519-16cd-43dd-8448-eb211c80319c"}),
    ("{g:guid}", "/0af7", None),
    ("{d:datetime}", "/2026-11-24", {"d": "2026-11-24"}),
    ("{d:datetime}", "/yesterday", None),
    ("{f:double}", "/1.5", {"f": "1.5"}),
    ("{f:decimal}", "/x", None),
    ("{t:length(3)}", "/abc", {"t": "abc"}),
    ("{t:length(2,3)}", "/a", None),
    ("{t:minlength(2)}", "/a", None),
    ("{t:maxlength(2)}", "/abc", None),
    ("{t:regex(^\\d{{3}}$)}", "/123", {"t": "123"}),
    ("{t:regex(^\\d{{3}}$)}", "/1234", None),
    ("{t:regex(^(a|b)=c?$):length(2)?}", "/b=", {"t": "b="}),
    ("{t:regex(^[a-z]:[0-9]$)}", "/a:1", {"t": "a:1"}),
]


@pytest.mark.parametrize(("template", "path", "expected"), MATCHES)
def test_matching(template: str, path: str, expected: dict[str, str] | None) -> None:
    assert parse(template).match(path) == expected


@pytest.mark.parametrize(
    "template",
    [
        "{",
        "}",
        "{}",
        "a{b",
        "a}b",
        "{a",
        "{id:nope}",
        "{id:int(3)}",
        "{id:length}",
        "{id:length(x)}",
        "{id:range(1)}",
        "{id:regex(()}",
        "{id:int!}",
        "{a}/{A}",
        "x{*rest}",
        "{a}.{b?}",
    ],
)
def test_what_is_not_a_template(template: str) -> None:
    with pytest.raises(InputError, match="route"):
        parse(template)


def function(name: str, route: str | None = None, methods: list[str] | None = None) -> Function:
    trigger = {"type": "httpTrigger", "name": "req", "route": route, "methods": methods}
    return Function(id=name, name=name, trigger=trigger)


FUNCTIONS = [
    function("catch", "{*rest}"),
    function("named", "orders/{name}"),
    function("numbered", "orders/{id:int}"),
    function("fixed", "orders/new", ["GET"]),
    function("posted", "orders/new", ["post"]),
    function("unrouted"),
]


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/api/orders/new", "fixed"),
        ("POST", "/api/orders/new", "posted"),
        ("PUT", "/api/orders/new", "named"),
        ("GET", "/api/orders/7", "numbered"),
        ("GET", "/api/orders/seven", "named"),
        ("GET", "/api/orders", "catch"),
        ("GET", "/api/unrouted", "unrouted"),
        ("GET", "/orders/7", None),
    ],
)
def test_the_most_particular_route_answers(method: str, path: str, expected: str | None) -> None:
    for functions in (FUNCTIONS, FUNCTIONS[::-1]):
        found = routes.find(routes.table(functions, "api"), method, path)
        assert (found[0].function.name if found else None) == expected


def test_without_a_prefix() -> None:
    found = routes.find(routes.table(FUNCTIONS, ""), "GET", "/orders/7")
    assert found
    assert (found[0].function.name, found[1]) == ("numbered", {"id": "7"})


def test_a_wrong_route_is_named_with_its_function() -> None:
    with pytest.raises(InputError, match=r"function bad: .*nope"):
        routes.table([function("bad", "{x:nope}")], "api")
