"""Whether the program that an image starts is in the image: what a node finds out when it starts a container.

Pods of the local clusters run nothing, so this is the one way in which an image can be broken there. What a runtime
says is `exec: "NAME": executable file not found in $PATH`, and the pod comes to a crash loop.
"""

import posixpath
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

from graph.reference import Reference
from groundswell.local.acr.layout import Layout

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_WHITEOUT, _OPAQUE = ".wh.", ".wh..wh..opq"

type Json = Mapping[str, Any]


class Entries:
    """Looks into a registry's storage, which leaves no pull in its journal. For one thread."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._names: dict[str, frozenset[str]] = {}  # by layer: images share their bases'
        self._starts: dict[str, bool] = {}

    def starts(self, reference: Reference) -> bool:
        """Whether the image's entry point (else its command) is one of its files.

        True also when the image names none, is not there (a pull says that), or has a layer that cannot be read
        here (zstd, say): only what is known to be missing is said to be.
        """
        digest = reference.digest or ""
        if digest not in self._starts:
            manifest = self._layout.manifest(reference.repository, digest)
            if manifest is None:
                return True
            try:
                self._starts[digest] = self._whole(manifest.document)
            except (tarfile.TarError, OSError, EOFError, zlib.error):
                self._starts[digest] = True
        return self._starts[digest]

    def _whole(self, manifest: Json) -> bool:
        if "manifests" in manifest:
            found = [self._layout.document(each["digest"]) for each in manifest["manifests"]]
            return all(self._whole(each) for each in found if each)
        head = manifest.get("config") or {}
        config = (self._layout.document(head.get("digest", "")) or {}).get("config") or {}
        words = config.get("Entrypoint") or config.get("Cmd")
        if not words:
            return True
        files = self._files(manifest)
        return any(name in files for name in _candidates(words[0], config))

    def _files(self, manifest: Json) -> set[str]:
        """The names of all files after all layers, without the leading slash."""
        files: set[str] = set()
        for layer in manifest["layers"]:
            names = self._listed(layer["digest"])
            for name in names:
                folder, base = posixpath.split(name)
                if base == _OPAQUE:
                    files = {each for each in files if not each.startswith(f"{folder}/")}
                elif base.startswith(_WHITEOUT):
                    gone = posixpath.join(folder, base.removeprefix(_WHITEOUT))
                    files = {each for each in files if each != gone and not each.startswith(f"{gone}/")}
            files |= {name for name in names if not posixpath.basename(name).startswith(_WHITEOUT)}
        return files

    def _listed(self, layer: str) -> frozenset[str]:
        if layer not in self._names:
            with self._layout.open(layer) as stream, tarfile.open(fileobj=stream) as archive:
                self._names[layer] = frozenset(_plain(member.name) for member in archive if not member.isdir())
        return self._names[layer]


def _candidates(word: str, config: Json) -> Iterator[str]:
    """Where the program may be: a path as it is, from the working directory; a bare name along PATH."""
    if "/" in word:
        yield _plain(posixpath.join("/", config.get("WorkingDir") or "/", word))
        return
    variables = dict(each.partition("=")[::2] for each in config.get("Env") or ())
    for folder in variables.get("PATH", _PATH).split(":"):
        yield _plain(posixpath.join(folder, word))


def _plain(name: str) -> str:
    return posixpath.normpath(name).lstrip("/")
