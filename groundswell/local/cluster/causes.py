"""Why something is not valid, in the API server's words."""

import re
from collections.abc import Iterable

from groundswell.local.cluster.errors import Cause

_LABEL = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*")
_QUALIFIED = re.compile(r"(?:[A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_LABEL_RULE = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
    "with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_SUBDOMAIN_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
    "and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_QUALIFIED_RULE = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_VALUE_RULE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start "
    "and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for "
    "validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)


def required(field: str, why: str = "") -> Cause:
    return ("FieldValueRequired", field, f"Required value{': ' + why if why else ''}")


def bad(field: str, value: object, why: str) -> Cause:
    return ("FieldValueInvalid", field, f"Invalid value: {_shown(value)}: {why}")


def forbidden(field: str, why: str) -> Cause:
    return ("FieldValueForbidden", field, f"Forbidden: {why}")


def unsupported(field: str, value: object, known: Iterable[str]) -> Cause:
    listed = ", ".join(f'"{one}"' for one in known)
    return ("FieldValueNotSupported", field, f"Unsupported value: {_shown(value)}: supported values: {listed}")


def _shown(value: object) -> str:
    """As Go prints it, where that is short."""
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, dict):
        listed = ", ".join(f"{_shown(key)}:{_shown(one)}" for key, one in value.items())
        return f"map[string]string{{{listed}}}" if listed else "map[string]string(nil)"
    return str(value)


def label(field: str, name: str) -> list[Cause]:
    """Nothing when `name` is a label of DNS."""
    return _named(field, name, 63, _LABEL, _LABEL_RULE)


def subdomain(field: str, name: str, most: int = 253) -> list[Cause]:
    """Nothing when `name` is a name of DNS, at most `most` long."""
    return _named(field, name, most, _SUBDOMAIN, _SUBDOMAIN_RULE)


def key(field: str, name: str) -> list[Cause]:
    """Nothing when `name` may be the key of a label or of an annotation: `[PREFIX/]NAME`."""
    prefix, slash, rest = name.rpartition("/")
    if slash and not _SUBDOMAIN.fullmatch(prefix):
        return [bad(field, name, f"prefix part {_SUBDOMAIN_RULE}")]
    if len(rest) > 63:
        return [bad(field, name, "name part must be no more than 63 characters")]
    return [] if _QUALIFIED.fullmatch(rest) else [bad(field, name, _QUALIFIED_RULE)]


def label_value(field: str, value: str) -> list[Cause]:
    """Nothing when `value` may be the value of a label."""
    if len(value) > 63:
        return [bad(field, value, "must be no more than 63 characters")]
    return [] if not value or _QUALIFIED.fullmatch(value) else [bad(field, value, _VALUE_RULE)]


def _named(field: str, name: str, most: int, pattern: re.Pattern[str], rule: str) -> list[Cause]:
    causes = [] if len(name) <= most else [bad(field, name, f"must be no more than {most} characters")]
    return causes if pattern.fullmatch(name) else [*causes, bad(field, name, rule)]
