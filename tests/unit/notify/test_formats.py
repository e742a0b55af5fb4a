"""What the services get: as they want it, within their limits, and nothing of others' texts acts there."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundswell.channels import SEVERITY, Kind, Severity
from groundswell.local.paths import ROOT
from groundswell.notify import slack, teams, webhook
from groundswell.notify.links import link
from groundswell.notify.notice import Notice

NASTY = "<!channel> **b** [x](http://evil) & {{DATE(2026-01-01T00:00:00Z)}} \x1b[31m\u202e <http://e|click>"
NOTICE = Notice(
    id="n1800000000000abcdefabcdef",
    kind=Kind.FAILED,
    title="shop/web failed at build",
    text="shop/web is failed at build in cascade 0k3v9xab2c, attempt 1: exit status 1",
    at=1_800_000_000.25,
    since=1_799_999_880.0,
    subjects=("shop/web",),
    count=1,
    teams=("shop",),
    cascade="0k3v9xab2c",
    link="https://groundswell.contoso.example/ui/cascades/0k3v9xab2c/images/shop/web",
)


def like(**changes: Any) -> Notice:
    return Notice(**{**{name: getattr(NOTICE, name) for name in NOTICE.__dataclass_fields__}, **changes})


def test_a_cloud_event() -> None:
    assert json.loads(webhook.body(NOTICE, source="https://groundswell.contoso.example")) == {
        "specversion": "1.0",
        "id": "n1800000000000abcdefabcdef",
        "source": "https://groundswell.contoso.example",
        "type": "dev.groundswell.rebuild.failed",
        "time": "2027-01-15T08:00:00.250Z",
        "datacontenttype": "application/json",
        "subject": "shop/web",
        "data": {
            "kind": "failed",
            "severity": "warning",
            "title": "shop/web failed at build",
            "text": "shop/web is failed at build in cascade 0k3v9xab2c, attempt 1: exit status 1",
            "teams": ["shop"],
            "cascade": "0k3v9xab2c",
            "subjects": ["shop/web"],
            "count": 1,
            "since": "2027-01-15T07:58:00.000Z",
            "link": NOTICE.link,
            "heals": None,
            "was": None,
        },
    }


def test_the_signature_of_the_specification() -> None:
    """The example of the reference libraries: the same secret, id, time and body give the same signature there."""
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    made = webhook.headers("msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}', [key], at=1614265330.9)
    assert made["webhook-timestamp"] == "1614265330"
    assert made["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_while_a_secret_changes_both_sign() -> None:
    one, two = (webhook.headers("n1", b"{}", [key], at=1.0)["webhook-signature"] for key in (b"a" * 24, b"b" * 24))
    assert webhook.headers("n1", b"{}", [b"a" * 24, b"b" * 24], at=1.0)["webhook-signature"] == f"{one} {two}"


def test_each_kind_is_documented() -> None:
    text = (ROOT / "docs/notifications.md").read_text("utf-8")
    for kind, name in webhook.TYPE.items():
        assert f".{'.'.join(name.split('.')[2:])}`" in text or f'"{name}"' in text, name
        assert kind is Kind.TEST or f"| `{kind}` | {SEVERITY[kind]} |" in text


def test_each_kind_has_a_type_and_a_severity() -> None:
    assert set(webhook.TYPE) == set(SEVERITY) == set(Kind)
    assert len(set(webhook.TYPE.values())) == len(Kind)
    assert all(name.startswith("dev.groundswell.") for name in webhook.TYPE.values())


def test_a_card() -> None:
    message = json.loads(teams.body(NOTICE))
    (attachment,) = message["attachments"]
    card = attachment["content"]
    assert (message["type"], attachment["contentType"]) == ("message", "application/vnd.microsoft.card.adaptive")
    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.4")
    assert card["body"][0]["inlines"][0] == {
        "type": "TextRun",
        "text": "shop/web failed at build",
        "weight": "bolder",
        "size": "medium",
        "color": "warning",
    }
    assert card["actions"] == [{"type": "Action.OpenUrl", "title": "Open in Groundswell", "url": NOTICE.link}]
    assert "actions" not in json.loads(teams.body(like(link="")))["attachments"][0]["content"]


def nodes(part: Any) -> Iterator[dict[str, Any]]:
    if isinstance(part, dict):
        yield part
        part = list(part.values())
    if isinstance(part, list):
        for each in part:
            yield from nodes(each)


def test_texts_of_others_stand_where_a_card_knows_no_markdown() -> None:
    card = json.loads(teams.body(like(title=NASTY, text=NASTY, teams=(NASTY,))))
    assert {node["type"] for node in nodes(card) if "text" in node} == {"TextRun"}
    assert not [node for node in nodes(card) if node.get("type") in ("TextBlock", "FactSet")]
    assert "{{" not in json.dumps(card)
    assert "\\u001b" not in json.dumps(card)


def test_a_message_of_slack() -> None:
    message = json.loads(slack.body(NOTICE))
    assert message["text"] == "warning: shop/web failed at build"
    assert [block["type"] for block in message["blocks"]] == ["header", "section", "context", "section"]
    assert message["blocks"][2]["elements"][1]["text"] == "*team* shop"
    assert message["blocks"][3]["text"]["text"] == f"<{NOTICE.link}|Open in Groundswell>"


def test_slack_reads_nothing_in_texts_of_others() -> None:
    message = json.loads(slack.body(like(title=NASTY, text=NASTY, teams=(NASTY,), link="")))
    texts = [message["text"], *(node["text"] for node in nodes(message) if isinstance(node.get("text"), str))]
    assert any("&lt;!channel&gt;" in text for text in texts)
    for text in texts:
        assert not set("<>") & set(text)
        assert text.count("&") == sum(text.count(each) for each in ("&amp;", "&lt;", "&gt;"))
    assert all(node["verbatim"] for node in nodes(message) if node.get("type") == "mrkdwn")


@pytest.mark.parametrize(
    ("text", "longest", "wanted"),
    [
        ("a<b", 6, "a&lt;b"),
        ("a<b", 5, "a…"),
        ("a&", 5, "a…"),
        ("a&", 6, "a&amp;"),
        ("ab", 1, "…"),
    ],
)
def test_what_is_escaped_is_not_cut_within(text: str, longest: int, wanted: str) -> None:
    assert slack.escaped(text, longest) == wanted


wild = st.text(st.sampled_from("<&>{\n*é\U0001f600\x00\x1b\u202eab "), max_size=6000)


@given(wild, wild, st.sampled_from(Kind))
def test_all_keep_to_the_limits(title: str, text: str, kind: Kind) -> None:
    notice = like(title=title, text=text, kind=kind, subjects=(title,) * 10, teams=(text,), count=10)
    assert len(webhook.body(notice, source="x")) <= 48_000
    assert len(teams.body(notice)) <= 28_000
    message = json.loads(slack.body(notice))
    header, section, context, *_ = message["blocks"]
    assert len(header["text"]["text"]) <= 150
    assert 0 < len(section["text"]["text"]) <= 3000
    assert len(context["elements"]) <= 10
    for shown in (header["text"]["text"], section["text"]["text"], message["text"]):
        assert shown.count("&") == sum(shown.count(each) for each in ("&amp;", "&lt;", "&gt;"))


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({}, "/cascades/0k3v9xab2c/images/shop/web"),
        ({"count": 2}, "/cascades/0k3v9xab2c"),
        ({"kind": Kind.ENDED}, "/cascades/0k3v9xab2c"),
        ({"kind": Kind.HEALED, "was": Kind.REJECTED}, "/cascades/0k3v9xab2c/images/shop/web"),
        ({"subjects": ("a b",)}, "/cascades/0k3v9xab2c/images/a%20b"),
    ],
)
def test_links(changes: dict[str, Any], wanted: str) -> None:
    assert link("https://g.example", like(**changes)) == f"https://g.example/ui{wanted}"
    assert link("", like(**changes)) == ""
    assert link("https://g.example", like(**changes, cascade="")) == ""


def test_severities_are_in_order() -> None:
    assert [each.rank for each in (Severity.INFO, Severity.WARNING, Severity.CRITICAL)] == [0, 1, 2]
