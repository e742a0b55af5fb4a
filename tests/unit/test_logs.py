"""Log lines: one for each record, whatever others put into it."""

import logging
from typing import Any

import pytest

from groundswell import logs
from groundswell.errors import PermanentError, cause, without_logins


def formatted(message: str, extra: dict[str, Any] | None = None, error: BaseException | None = None) -> str:
    record = logging.LogRecord("groundswell.x", logging.WARNING, "f", 1, message, (), None)
    if error is not None:
        record.exc_info = (type(error), error, error.__traceback__)
    vars(record).update(extra or {})
    return logs.Fields().format(record)


def test_fields_follow_the_message() -> None:
    assert formatted("promoted", {"image": "a", "why": "two words"}).endswith(
        " W groundswell.x promoted image=a why='two words'"
    )


FORGED = "2027-01-01 00:00:00,000 I groundswell.cascade promoted image=evil"


@pytest.mark.parametrize("break_", ["\n", "\r\n", "\r", "\u2028", "\x85", "\x0b"])
def test_nobody_writes_a_line_of_ours(break_: str) -> None:
    """Neither in a field, nor in the message, nor in the text of an error."""
    text = f"x{break_}{FORGED}"
    whole = formatted(text, {"why": text}, PermanentError(text))
    assert FORGED in whole
    assert not any(line.startswith("2027") for line in whole.splitlines()[1:])


@pytest.mark.parametrize(
    "evil", ["\x1b[2J", "\x1b]8;;http://evil\x07link\x1b]8;;\x07", "\u202egnp", "\x9b31m", "\x08" * 9]
)
def test_nothing_acts_on_the_terminal_that_shows_the_log(evil: str) -> None:
    whole = formatted(evil, {"why": evil}, PermanentError(evil))
    assert not any(character in whole for character in "\x1b\x07\x08\x9b\u202e")


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Authorization: Bearer abc.def-1", "Authorization: Bearer …"),
        ("authorization: basic YTpi, Accept: */*", "authorization: basic …, Accept: */*"),
        ('{"auth": "SharedKey acc:k+/="}', '{"auth": "SharedKey …"}'),
        ("a bearer of news", "a bearer … news"),
        ("grant_type=access_token&access_token=ab.cd&x=1", "grant_type=access_token&access_token=…&x=1"),
        ('{"password": "hunter2", "a": 1}', '{"password": "…", "a": 1}'),
        ("no login here", "no login here"),
    ],
)
def test_a_login_that_a_server_hands_back_is_not_shown(said: str, shown: str) -> None:
    assert without_logins(said) == shown
    assert cause(ValueError(said)) == f"ValueError: {shown}"
    refused = PermanentError("refused")
    refused.__cause__ = ValueError(said)
    assert shown in formatted("failed", error=refused)
