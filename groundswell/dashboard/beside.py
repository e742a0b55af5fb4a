"""What stands wrong beside cascades, as noted last: what runs and is not good, drift, and what did not arrive.

Books of everything that runs are read for it, so it is fetched beside the page and not with it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import takewhile

from groundswell import audit
from groundswell.cascade import unreadable
from groundswell.dashboard.registered import address
from groundswell.dashboard.troubles import milliseconds
from groundswell.notify.delivery import State
from groundswell.wiring import App

SHOWN = 20
_DAY = 86_400.0
_NOTICES = 2_000
"""Deliveries that are looked at, the newest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """A form for whoever may do `operation`: what it says besides the reason, and what comes of it (`then`)."""

    operation: str
    address: str
    button: str
    then: str
    says: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Matter:
    """Something that is wrong: `what` it is, and `mend`, the command that deals with it, as `deed` does, if any."""

    what: str
    image: str
    told: str
    since: float
    mend: str
    deed: Deed | None = None


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
                deed=_rebuild(anew) if anew else None,
            )


def _rebuild(image: str) -> Deed:
    return Deed(
        operation="rebuild",
        address=f"{address(image)}/rebuild",
        button=f"Rebuild {image}",
        then="It is built past every cache, before anything else, and then what stands on it.",
        says={},
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
                deed=Deed(
                    operation="release_workload",
                    address="/ui/on-call/release-workload",
                    button="Release",
                    then=f"The next rollout of {known.image} moves it, whatever it runs now.",
                    says={"workload": known.workload, "seen": f"{milliseconds(known.drift.at)}"},
                ),
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
                deed=Deed(
                    operation="resend_notice",
                    address="/ui/on-call/resend-notice",
                    button="Send it again",
                    then="It keeps its id, by which a receiver knows it again.",
                    says={
                        "notice": each.notice.id,
                        "channel": each.channel,
                        "seen": f"{milliseconds(each.changed_at)}",
                    },
                ),
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
