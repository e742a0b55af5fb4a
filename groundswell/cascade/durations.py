"""How long images take to rebuild: the last few builds of each, and their median as the estimate.

An image that was never built is taken to last as its neighbours do: the images of the same folder by name
(`team/sub/app`: those below `team/sub`, else those below `team`), else all images.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import batched, pairwise
from statistics import median, median_low

from groundswell.cascade.model import Moment, Rebuild
from groundswell.cascade.status import Status
from groundswell.store.port import ANY, MAX_COMMIT, Documents, Json, Put

_TABLE, _PARTITION = "durations", "images"
_KEPT = 7
_FEW = 10
"""Images that are read one by one."""
DEFAULT_SECONDS = 60.0
"""What a rebuild is taken to last when nothing is known of any."""


class Durations:
    def __init__(self, store: Documents) -> None:
        self._store = store

    def estimates(self, images: Iterable[str]) -> dict[str, float]:
        """Seconds by image. A few that were built before are read by themselves; for others all is read, once."""
        asked = list(images)
        stored = self._each(asked) if len(asked) <= _FEW else self._all()
        if len(asked) <= _FEW and any(image not in stored for image in asked):
            stored = self._all()
        known = {image: _usual(value["seconds"]) for image, value in stored.items()}
        strangers = [image for image in asked if image not in known]
        folders = _folders(known, {folder for image in strangers for folder in _above(image)})
        guesses = {image: _nearest(image, folders) for image in strangers}
        return {image: known[image] if image in known else guesses[image] for image in asked}

    def usual(self, images: Iterable[str]) -> dict[str, float]:
        """The same of those that were built before, and nothing of the others."""
        asked = list(images)
        known = self._each(asked) if len(asked) <= _FEW else self._all()
        return {image: _usual(known[image]["seconds"]) for image in asked if image in known}

    def learn(self, cascade: str, seconds: Mapping[str, float]) -> None:
        """Note the builds of a cascade that has ended, by image; once, however often it is told or ends again.

        Two at once may lose one figure: it is an estimate.
        """
        known = self._each(seconds) if len(seconds) <= _FEW else self._all()
        puts = [
            Put(row=image, value={"seconds": _kept(known.get(image), took), "cascade": cascade}, etag=ANY)
            for image, took in seconds.items()
            if known.get(image, {}).get("cascade") != cascade
        ]
        for some in batched(puts, MAX_COMMIT, strict=False):
            self._store.commit(_TABLE, _PARTITION, some)

    def _all(self) -> dict[str, Json]:
        return {record.row: record.value for record in self._store.scan(_TABLE, _PARTITION)}

    def _each(self, images: Iterable[str]) -> dict[str, Json]:
        found = ((image, self._store.get(_TABLE, _PARTITION, image)) for image in images)
        return {image: record.value for image, record in found if record is not None}


def measured(rebuilds: Iterable[Rebuild]) -> dict[str, float]:
    """What the last build of each took, in seconds, by image; nothing of one that did not build."""
    return {state.image: took for state in rebuilds if (took := _took(state.history)) is not None}


def _took(history: Sequence[Moment]) -> float | None:
    ends = (
        after.at - before.at
        for before, after in reversed(tuple(pairwise(history)))
        if (before.status, after.status) == (Status.BUILDING, Status.VERIFYING)
    )
    return next(ends, None)


def _kept(known: Json | None, took: float) -> list[float]:
    return [*(known["seconds"] if known else []), round(took, 3)][-_KEPT:]


def _usual(seconds: list[float]) -> float:
    """The median; of two in the middle the lower one, for a build that got stuck is long, none is too short."""
    return median_low(seconds)


def _above(image: str) -> Iterator[str]:
    """The folders of an image's name, the nearest first; the last is "", that of all."""
    while image:
        image = image.rpartition("/")[0]
        yield image


def _folders(known: Mapping[str, float], wanted: set[str]) -> dict[str, float]:
    """What is usual below each wanted folder, of those where anything is known."""
    below: dict[str, list[float]] = {}
    for image, seconds in known.items():
        for folder in _above(image):
            if folder in wanted:
                below.setdefault(folder, []).append(seconds)
    return {folder: median(seconds) for folder, seconds in below.items()}


def _nearest(image: str, folders: Mapping[str, float]) -> float:
    return next((folders[folder] for folder in _above(image) if folder in folders), DEFAULT_SECONDS)
