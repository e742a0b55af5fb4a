"""When Python looks for cycles of objects that nobody holds any more."""

import gc

_MORE = 50_000
"""Objects since the last look."""


def settle() -> None:
    """For a process that serves.

    The records of a large cascade are tens of thousands of objects, all gone with the request, and none in a cycle.
    As Python comes, they have it look at all that is loaded every few requests: for half a second, with 10,000
    images, and it finds nothing.
    """
    gc.set_threshold(_MORE, *gc.get_threshold()[1:])
