"""How long images take to rebuild: the last few builds of each, and their median as the estimate."""

from collections.abc import Iterable
from statistics import median

from groundswell.store.port import ANY, Documents, Put

_TABLE, _PARTITION = "durations", "images"
_KEPT = 7
DEFAULT_SECONDS = 60.0
"""What a rebuild is taken to last when nothing is known of any."""


class Durations:
    def __init__(self, store: Documents) -> None:
        self._store = store

    def estimates(self, images: Iterable[str]) -> dict[str, float]:
        """Seconds by image: its own median, or that of all images where it was never built."""
        known = {record.row: median(record.value["seconds"]) for record in self._store.scan(_TABLE, _PARTITION)}
        usual = median(known.values()) if known else DEFAULT_SECONDS
        return {image: known.get(image, usual) for image in images}

    def add(self, image: str, seconds: float) -> None:
        """Note one build. Two at once may lose one figure: it is an estimate."""
        record = self._store.get(_TABLE, _PARTITION, image)
        kept = [*(record.value["seconds"] if record else []), round(seconds, 3)][-_KEPT:]
        self._store.commit(_TABLE, _PARTITION, [Put(row=image, value={"seconds": kept}, etag=ANY)])
