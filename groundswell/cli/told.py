"""What the API tells, in the words that `--json` has always had: times as seconds since the epoch, and the like."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, overload

if TYPE_CHECKING:
    from groundswell.cascade.header import Header
    from groundswell.cascade.view import Row

type Json = dict[str, Any]


@overload
def seconds(at: str) -> float: ...
@overload
def seconds(at: str | None) -> float | None: ...
def seconds(at: str | None) -> float | None:
    return None if at is None else datetime.fromisoformat(at).timestamp()


def timed(entries: Iterable[Json], key: str = "at") -> list[Json]:
    return [{**each, key: seconds(each[key])} for each in entries]


def stored_source(document: Json) -> Json:
    """A source as it is stored: the API has it in the words of lineage.yaml."""
    path = document["path"]
    return {"location": document["git"], "ref": document["ref"], "path": "" if path == "." else path}


def stored_fields(fields: Json) -> Json:
    """What changed of an image, before and after, as it is stored."""
    return {
        name: {when: stored_source(value) if name == "source" and value else value for when, value in pair.items()}
        for name, pair in fields.items()
    }


def header(document: Json) -> "Header":
    from groundswell.cascade.header import Header, Phase, Pushed

    return Header(
        id=document["cascade"],
        base=document["base"],
        digest=document["digest"],
        source=document["source"],
        started_at=seconds(document["started_at"]),
        total=document["images"],
        open=document["open"],
        phase=Phase(document["phase"]),
        ended_at=seconds(document["ended_at"]),
        urgent=document["urgent"],
        pinned=tuple((each["image"], each["reference"]) for each in document["pinned"]),
        pushes=tuple(Pushed(**each) for each in timed(document["pushes"])),
    )


def rows(documents: Iterable[Json]) -> "Sequence[Row]":
    """The images of a cascade in the order in which they began."""
    from groundswell.cascade.view import Row, in_order

    return in_order(
        Row(
            image=each["image"],
            status=each["status"],
            stage=each["stage"],
            why=each["why"],
            attempt=each["attempt"],
            seconds=each["seconds"],
            old=each["old_digest"],
            new=each["new_digest"],
            run=each["run"],
            inputs=each["inputs"],
            began_at=seconds(each["began_at"]),
            updated_at=seconds(each["updated_at"]),
        )
        for each in documents
    )


def rebuild(document: Json) -> Json:
    """One image of a cascade with its evidence."""
    rest = {key: value for key, value in document.items() if key != "verdict"}
    rollouts = [{**each, "at": seconds(each["at"]) or 0.0} for each in document["rollouts"]]
    ordered = {**rest, "scan": document["verdict"], "rollouts": rollouts, "moves": timed(document["moves"])}
    return {key: ordered[key] for key in ("scan" if key == "verdict" else key for key in document)}


def push(document: Json) -> Json:
    """A line of the push log, as it is kept."""
    name, _, digest = document["reference"].partition("@")
    registry, _, rest = name.partition("/")
    repository, _, tag = rest.partition(":")
    return {
        "id": document["id"],
        "registry": registry,
        "repository": repository,
        "tag": tag,
        "digest": document["digest"] or digest,
        "source": document["source"],
        "urgent": document["urgent"],
        "force": document["forced"],
        "at": seconds(document["at"]),
        "result": document["result"],
        "cascade": document["cascade"],
    }
