"""Settings: read once more as a whole, and names in the environment that nothing reads, as a slip of the pen is."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from groundswell import settings
from groundswell.doctor.check import Check, bad, ok, warn
from groundswell.errors import InputError
from groundswell.settings import Settings

ELSEWHERE = frozenset(
    {
        "GROUNDSWELL_CA",
        "GROUNDSWELL_CONTEXT",
        "GROUNDSWELL_FUNCTION_KEY",
        "GROUNDSWELL_HOME",
        "GROUNDSWELL_HOST_KEY",
        "GROUNDSWELL_SETTINGS",
        "GROUNDSWELL_TOKEN",
        "GROUNDSWELL_URL",
        "GROUNDSWELL_USER",
    }
)
"""Names that something else than the settings reads: the command, the local stack."""
_PREFIX = "GROUNDSWELL_"
_WEBHOOK = "GROUNDSWELL_WEBHOOK_SECRET"


class _Asked(dict[str, str]):
    """Notes which names were asked for."""

    def __init__(self, values: Mapping[str, str]) -> None:
        super().__init__(values)
        self.names: set[str] = set()

    def get(self, key: str, default: str = "") -> str:  # type: ignore[override]  # all that is read is text
        self.names.add(key)
        return super().get(key, default)


def known(values: Mapping[str, str]) -> frozenset[str]:
    """Every name that the settings read from `values`. Raises InputError when one is wrong."""
    asked = _Asked(values)
    settings.parse(asked)
    return ELSEWHERE | asked.names


def look(values: Mapping[str, str], parsed: Settings) -> Iterator[Check]:
    """`parsed` are the settings in force; `values` what they, or the next ones, are read from."""
    name = "settings"
    try:
        names = known(
            values if values.get("GROUNDSWELL_STORE__tableServiceUri") else {"GROUNDSWELL_STORE": "-", **values}
        )
    except InputError as exc:
        yield bad(name, str(exc), "mend the setting; the program was started before it was changed")
        return
    strange = sorted(each for each in values if each.startswith(_PREFIX) and each not in names)
    for each in strange:
        near = get_close_matches(each, sorted(names), n=1, cutoff=0.8)
        fix = f"did you mean {near[0]}?" if near else "remove it; docs/operations.md has those that there are"
        yield warn(name, f"nothing reads {each}", fix)
    if settings.unresolved(values.get(_WEBHOOK, "")):
        yield bad(
            name,
            f"{_WEBHOOK} is a reference to Key Vault that was not resolved: every webhook is put off",
            "let the app's identity read the secret (its reference's state is in the portal, under Environment "
            "variables), and restart the app",
        )
    elif not parsed.webhook_secret:
        yield warn(
            name,
            f"{_WEBHOOK} is empty: every webhook is put off",
            "set it to a long random text, and the same in the webhook's header",
        )
    elif not strange:
        yield ok(name, "all are understood, and each name is known")
