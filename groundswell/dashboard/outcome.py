"""What pages tell of what a form did: a title, and what became of each one that it was about. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from enum import Enum
from urllib.parse import quote

from groundswell.api.bodies import Json
from groundswell.cascade.operate import Bulk

_NAMED = 200
"""Those that are told of by name."""


class Fate(Enum):
    """What became of one; the order is that in which they are told, and the value the state whose colour it has."""

    FAILED = "failed"
    LEFT = "blocked"  # alone, for what `why` says
    DONE = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class One:
    """`place` is where it is shown, empty when nowhere; `stage` where it begins."""

    name: str
    fate: Fate
    place: str = ""
    stage: str = ""
    why: str = ""


def outcome(
    verb: str, reason: str, those: Sequence[One], *, noun: str = "image", nothing: str = "there was none"
) -> Json:
    """Of an act to several, or to one of them; `nothing` says why it was done to none."""
    done = sum(each.fate is Fate.DONE for each in those)
    title = f"{verb.capitalize()}: {done} {noun if done == 1 else noun + 's'}"
    if not those:
        title = f"Nothing was {verb}: {nothing}"
    elif done < len(those):
        title = f"{verb.capitalize()}: {done} of {len(those)}; {len(those) - done} not"
    said = {Fate.FAILED: "did not work", Fate.LEFT: "left alone", Fate.DONE: verb}
    ordered = sorted(those, key=lambda each: list(Fate).index(each.fate))
    items = [{**asdict(each), "fate": each.fate.value, "said": said[each.fate]} for each in ordered[:_NAMED]]
    good = bool(those) and done == len(those)
    return {**sentence(title, reason), "good": good, "items": items, "more": len(those) - len(items)}


def sentence(title: str, reason: str = "", *, good: bool = True) -> Json:
    """Of an act that a sentence says all of."""
    return {"title": title, "good": good, "items": [], "more": 0, "reason": reason}


def fates(bulks: Iterable[Bulk]) -> list[One]:
    """Of the images of cascades."""
    return [
        One(
            name=item.image,
            fate=fate,
            place=f"/ui/cascades/{quote(bulk.cascade)}/images/{quote(item.image)}",
            stage=item.stage.value if item.stage else "",
            why=item.why,
        )
        for bulk in bulks
        for fate, items in ((Fate.FAILED, bulk.failed), (Fate.LEFT, bulk.left), (Fate.DONE, bulk.done))
        for item in items
    ]
