"""What stands wrong beside cascades, as noted last: what runs and is not good, drift, and what did not arrive.

Books of everything that runs are read for it, so it is fetched beside the page and not with it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import takewhile

from groundswell import audit
from groundswell.cascade import unreadable
from groundswell.notify.delivery import State
from groundswell.wiring import App

SHOWN = 20
_DAY = 86_400.0
_NOTICES = 2_000
"""Deliveries that are looked at, the newest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Matter:
    """Something that is wrong: `what` it is, and `mend`, the command that deals with it."""

    what: str
    image: str
    told: str
    since: float
    mend: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Matters:
    """Of one kind: the first of them, and how many there are."""

    title: str
    shown: tuple[Matter, ...]
    total: int


def everything(product: App, owner: str) -> list[Matters]:
    """What there is of each kind, of a team (of any: ""); notices and messages are nobody's."""
    owned = {item.name for item in product.catalog.owned(owner)} if owner else None
    found = [
        _matters("Runs and is not good", _alerts(product, owned)),
        _matters("Changed by somebody else: no cascade moves it", _drift(product, owned)),
    ]
    if not owner:
        found += [
            _matters("Notices that did not arrive", _notices(product)),
            _matters("Messages dropped in the last day, for nobody could read them", _dropped(product)),
        ]
    return [matters for matters in found if matters.total]


def _matters(title: str, found: Iterable[Matter]) -> Matters:
    those = list(found)
    return Matters(title=title, shown=tuple(those[:SHOWN]), total=len(those))


def _alerts(product: App, owned: set[str] | None) -> Iterator[Matter]:
    for alert, _ in product.alerts.all():
        if alert.open and (owned is None or alert.image in owned):
            worst = ", ".join(f"{line.id} in {line.package}" for line in alert.findings[:3])
            more = f" and {len(alert.findings) - 3} more" if len(alert.findings) > 3 else ""
            anew = alert.remedy.image
            yield Matter(
                what=alert.digest,
                image=alert.image,
                told=f"{worst}{more}; {alert.remedy.why}" if worst else alert.trouble,
                since=alert.first_seen,
                mend=f"groundswell rebuild {anew} --reason TEXT" if anew else "groundswell alerts",
            )


def _drift(product: App, owned: set[str] | None) -> Iterator[Matter]:
    for known in product.workloads.all():
        if known.drift and (owned is None or known.image in owned):
            yield Matter(
                what=known.workload,
                image=known.image,
                told=f"runs {known.drift.image}",
                since=known.drift.at,
                mend=f"groundswell drift release {known.workload} --reason TEXT",
            )


def _notices(product: App) -> Iterator[Matter]:
    for number, (_, each) in enumerate(product.notices.listed()):
        if number == _NOTICES:
            return
        if each.state is State.DEAD:
            yield Matter(
                what=f"{each.notice.title}, to {each.channel}",
                image="",
                told=each.error,
                since=each.changed_at,
                mend=f"groundswell notices resend {each.notice.id} {each.channel} --reason TEXT",
            )


def _dropped(product: App) -> Iterator[Matter]:
    oldest = product.clock() - _DAY
    recent = takewhile(lambda record: record.value["at"] >= oldest, audit.rows(product.store))
    for record in recent:
        entry = record.value
        if entry["action"] == unreadable.ACTION:
            yield Matter(
                what=entry["subject"], image="", told=entry["why"], since=entry["at"], mend="groundswell audit"
            )
