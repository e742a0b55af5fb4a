"""Every format in which a scanner may report, in one table, and the one way of reading them. Pure."""

from collections.abc import Callable, Mapping

from groundswell.errors import InputError, PermanentError
from groundswell.scan import aqua, cyclonedx, sarif, twistcli
from groundswell.scan.fields import Entry, document
from groundswell.scan.port import Report
from groundswell.scan.source import Source

MAX_REPORT = 64 * 2**20
"""Bytes of a report, at most."""

type Parser = Callable[[Entry, Source], Report]

FORMATS: Mapping[str, Parser] = {
    "aqua": aqua.parse,
    "cyclonedx": cyclonedx.parse,
    "sarif": sarif.parse,
    "twistcli": twistcli.parse,
}


def read(name: str, content: bytes, source: Source, *, max_bytes: int = MAX_REPORT) -> Report:
    """The report in `content`, of the format `name`, on the image that `source` names.

    Raises InputError on a format that nobody reads; TemporaryError when the report is cut, garbled or no whole
    scan, so that it may be fetched or made again; PermanentError when it is too large, is about another image, or
    says itself that the scanner could not look at all of it.
    """
    if name not in FORMATS:
        raise InputError(f"no report format {name!r}; there are {', '.join(FORMATS)}")
    if len(content) > max_bytes:
        raise PermanentError(
            f"the report of {source.scanner} has {len(content)} bytes, more than the {max_bytes} allowed"
        )
    return FORMATS[name](document(content, f"the report of {source.scanner}"), source)
