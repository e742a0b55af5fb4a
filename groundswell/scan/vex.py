"""OpenVEX documents: what their authors say does not apply. Pure.

Outside rules: OpenVEX 0.2.0 (openvex/spec, OPENVEX-SPEC.md). A statement says of products, and of components within
them, that a vulnerability does not affect them, was fixed, does affect them, or is looked into. Of several the
newest counts. Products and components are matched by package URL alone: an identifier that we cannot tie to the
image or to a package in it clears nothing.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from groundswell.errors import InputError, TemporaryError
from groundswell.scan.fields import Entry, entries, mapping, moment, part, text, texts
from groundswell.scan.port import Finding
from groundswell.scan.purl import Purl

_CONTEXT = "https://openvex.dev/ns"
_STATUSES = ("not_affected", "fixed", "affected", "under_investigation")
_MAX_WHY = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One statement on one product. `components` is empty when it is said of all that is in the product."""

    flaws: frozenset[str]
    product: Purl
    components: tuple[Purl, ...]
    clears: bool
    why: str
    at: float
    expires: float

    def covers(self, finding: Finding, image: Purl) -> bool:
        """Whether it speaks of `finding` in `image`."""
        if finding.id not in self.flaws:
            return False
        package = Purl.parse(finding.purl)
        if self.product.covers(image):
            return not self.components or (
                package is not None and any(component.covers(package) for component in self.components)
            )
        return package is not None and not self.components and self.product.covers(package)


def statements(document: Mapping[str, Any], expires: float) -> tuple[Statement, ...]:
    """The statements of an OpenVEX document, the newest first; they count until `expires`.

    Raises InputError when it is none, or when a statement clears something without a reason.
    """
    try:
        if not text(document, "@context").startswith(_CONTEXT):
            raise InputError(f"not an OpenVEX document: its @context must begin with {_CONTEXT}")
        found = [
            statement
            for entry in entries(document, "statements")
            for statement in _statements(document, entry, expires)
        ]
    except TemporaryError as exc:
        raise InputError(f"not an OpenVEX document: {exc}") from exc
    return newest_first(found)


def newest_first(found: Iterable[Statement]) -> tuple[Statement, ...]:
    """In the order in which they count; of two that are as old as each other, the one that clears nothing."""
    return tuple(sorted(found, key=lambda statement: (-statement.at, statement.clears)))


def _statements(document: Entry, entry: Entry, expires: float) -> Iterator[Statement]:
    status = text(entry, "status")
    flaw = entry.get("vulnerability")
    names = [flaw] if isinstance(flaw, str) else [text(part(entry, "vulnerability"), "name")]  # 0.0.1, 0.2.0
    subject = names[0] or "a statement without a vulnerability"
    if not names[0] or status not in _STATUSES:
        raise InputError(f"{subject} has status {status!r}; it must be one of {', '.join(_STATUSES)}")
    if isinstance(flaw, dict):
        names += texts(flaw, "aliases")
    why = text(entry, "justification") or text(entry, "impact_statement") or text(entry, "status_notes")
    if status == "not_affected" and not (text(entry, "justification") or text(entry, "impact_statement")):
        raise InputError(f"{subject} is not_affected without a justification or an impact_statement")
    at = moment(entry, "timestamp") or moment(entry, "last_updated") or moment(document, "timestamp")
    if at is None:
        raise InputError(f"{subject} has no timestamp, nor has the document")
    for product in entry.get("products") or ():
        for purl in _purls(product):
            components = _components(product)
            if components is not None:
                yield Statement(
                    flaws=frozenset(names),
                    product=purl,
                    components=components,
                    clears=status in ("not_affected", "fixed"),
                    why=f"{status}: {why}"[:_MAX_WHY] if why else status,
                    at=at,
                    expires=expires,
                )


def _components(product: object) -> tuple[Purl, ...] | None:
    """None when components are named, but none by a package URL: then it speaks of nothing that we can find."""
    named = product.get("subcomponents") if isinstance(product, dict) else None
    if not named:
        return ()
    return tuple(purl for component in named for purl in _purls(component)) or None


def _purls(component: object) -> list[Purl]:
    """How a product or a component names itself."""
    if isinstance(component, str):  # version 0.0.1
        names = [component]
    else:
        found = mapping(component, "products")
        names = [text(found, "@id"), text(part(found, "identifiers"), "purl")]
    return list(dict.fromkeys(purl for name in names if (purl := Purl.parse(name)) is not None))
