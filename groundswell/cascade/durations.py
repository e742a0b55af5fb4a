"""How long images take to rebuild: the last few builds of each, and their median as the estimate.

An image that was never built is taken to last as its neighbours do: the images of the same folder by name
(`team/sub/app`: those below `team/sub`, else those below `team`), else all images.
"""

from collections.abc import Iterable, Iterator, Mapping
from statistics import median, median_low

from groundswell.store.port import ANY, Documents, Put

_TABLE, _PARTITION = "durations", "images"
_KEPT = 7
DEFAULT_SECONDS = 60.0
"""What a rebuild is taken to last when nothing is known of any."""


class Durations:
    def __init__(self, store: Documents) -> None:
        self._store = store

    def estimates(self, images: Iterable[str]) -> dict[str, float]:
        """Seconds by image. One read of what is known, however many are asked for."""
        known = {record.row: _usual(record.value["seconds"]) for record in self._store.scan(_TABLE, _PARTITION)}
        asked = list(images)
        strangers = [image for image in asked if image not in known]
        folders = _folders(known, {folder for image in strangers for folder in _above(image)})
        guesses = {image: _nearest(image, folders) for image in strangers}
        return {image: known[image] if image in known else guesses[image] for image in asked}

    def add(self, image: str, seconds: float) -> None:
        """Note one build. Two at once may lose one figure: it is an estimate."""
        record = self._store.get(_TABLE, _PARTITION, image)
        kept = [*(record.value["seconds"] if record else []), round(seconds, 3)][-_KEPT:]
        self._store.commit(_TABLE, _PARTITION, [Put(row=image, value={"seconds": kept}, etag=ANY)])


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
