import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundswell.cascade.records import Phase
from groundswell.cascade.status import Status
from groundswell.dashboard.returning import HOME, safe, sign_in
from groundswell.dashboard.tally import tally
from groundswell.dashboard.words import TONES, ago, lasted, month_name, percent, query_of


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (None, ""),
        (0, "0 s"),
        (41.4, "41 s"),
        (125, "2 min 5 s"),
        (3600, "1 h"),
        (11_400, "3 h 10 min"),
        (90_061, "1 d 1 h"),
        (-1, "0 s"),
    ],
)
def test_how_long(seconds: float | None, told: str) -> None:
    assert lasted(seconds) == told


@pytest.mark.parametrize(
    ("past", "told"), [(0, "just now"), (59, "59 s ago"), (60, "1 min ago"), (90_000, "1 d ago"), (-60, "in 1 min")]
)
def test_how_long_ago(past: float, told: str) -> None:
    assert ago(1000.0 - past, 1000.0) == told


@pytest.mark.parametrize(
    ("share", "told"), [(0.0, "0 %"), (0.5, "50 %"), (0.9474, "94.7 %"), (0.9999, "99.9 %"), (1.0, "100 %")]
)
def test_a_share(share: float, told: str) -> None:
    assert percent(share) == told


def test_a_month() -> None:
    assert [month_name("2026-01"), month_name("2027-12")] == ["January 2026", "December 2027"]


def test_every_state_has_a_tone() -> None:
    assert {*Status, *Phase} <= TONES.keys()
    assert tally([]).segments == ()


def test_a_query_with_changes() -> None:
    assert query_of({"q": "a&b", "cursor": "x"}, cursor=None) == "?q=a%26b"
    assert query_of({}) == "?"


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example/ui/",
        "//evil.example/ui/",
        "/ui//evil.example",
        "/\\evil.example",
        "/ui\\evil.example",
        "/ui/\r\nSet-Cookie: a=b",
        "/ui/ü",
        "/uix",
        "/api/v1/me",
        "javascript:alert(1)",
        "/ui/sign-in?next=/ui/sign-in",
        "/ui/sign-out",
        "",
        "/ui/" + "a" * 2000,
    ],
)
def test_nobody_is_led_elsewhere(address: str) -> None:
    assert safe(address) == HOME


@pytest.mark.parametrize("address", ["/ui", "/ui/", "/ui/audit?who=ann&action=", "/ui/cascades/0abc?q=//x"])
def test_pages_of_ours_are_gone_back_to(address: str) -> None:
    assert safe(address) == address


@given(st.text(alphabet=st.sampled_from("/ui\\:?#@.%2eevil\r\n\t "), max_size=30))
def test_whatever_is_asked_for_it_is_a_page_of_ours(address: str) -> None:
    for found in (safe(address), safe("/ui" + address), safe("/ui/" + address)):
        assert found.startswith("/ui")
        assert not found.startswith("//")
        assert found.isascii()
        assert found.isprintable()
        assert "\\" not in found
    assert sign_in(address).startswith("/ui/sign-in")
