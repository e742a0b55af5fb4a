"""The external base image of the demo: a small Debian 12 in two variants, before and after a security update.

Real packages are unpacked the way distroless images do it: files, `os-release` and a dpkg status, so that a scanner
recognises the system and its packages, and busybox gives a shell for RUN steps. Only the version of one package
differs between the variants: the mirror holds one version at a time, so both versions are written here, and the
advisory database of the local stack (advisories.json) marks the older one CRITICAL and fixed by the newer one.
"""

import io
import re
import tarfile
from enum import StrEnum
from pathlib import Path

from groundswell.local.debs import Package, read_packages
from groundswell.local.oci import CREATED, OciImage, make_image

PACKAGE = "zlib1g"
"""The package that the update repairs."""

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PASSWD = "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000:app:/:/bin/sh\n"
_GROUP = "root:x:0:\napp:x:1000:\n"
_LEFT_OUT = ("usr/share/bug/", "usr/share/doc/", "usr/share/lintian/", "usr/share/man/")
_APPLETS = (
    "[ ar ash awk base64 basename bzip2 cat chgrp chmod chown cmp cp cpio cut date dd df diff dirname dpkg du "
    "echo egrep env expand expr false fgrep find fold grep gunzip gzip head hostname httpd id kill less ln ls "
    "md5sum mkdir mkfifo mktemp mv nc nl od paste patch pidof printf ps pwd readlink realpath rm rmdir sed seq "
    "sh sha1sum sha256sum sha512sum sleep sort stat strings stty sync tac tail tar tee test timeout touch tr "
    "true tty uname uniq unxz unzip vi wc wget which whoami xargs xxd yes zcat"
)
_VERSION = re.compile(r"^Version: .*$", re.MULTILINE)


class Variant(StrEnum):
    """The version of PACKAGE in the base, before and after the update."""

    VULNERABLE = "1:1.2.13.dfsg-1"
    FIXED = "1:1.2.13.dfsg-1+deb12u1"


def build_base(cache: Path, variant: Variant) -> OciImage:
    """The base made of the packages in `cache` (see `fetch_packages`): the same bytes every time."""
    packages = read_packages(cache)
    tree = _Tree()
    for package in packages:
        _unpack(tree, package)
    for applet in _APPLETS.split():
        tree.link(f"bin/{applet}", "busybox")
    tree.file("etc/passwd", _PASSWD.encode())
    tree.file("etc/group", _GROUP.encode())
    tree.file("var/lib/dpkg/status", _status(packages, variant).encode())
    for folder, mode in {"tmp": 0o1777, "root": 0o700, "var/lib/dpkg/info": 0o755}.items():
        tree.folder(folder, mode)
    return make_image(
        [tree.tar()],
        config={"Env": [f"PATH={_PATH}"], "Cmd": ["sh"]},
        annotations={"org.opencontainers.image.title": "Debian 12 (small)"},
    )


class _Tree:
    """Files of a layer by path, written in path order with one owner and one time: equal trees are equal bytes."""

    def __init__(self) -> None:
        self._entries: dict[str, tuple[tarfile.TarInfo, bytes]] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def add(self, member: tarfile.TarInfo, content: bytes) -> None:
        member.mtime = CREATED
        member.uid = member.gid = 0
        member.uname = member.gname = "root"
        self._entries[member.name] = (member, content)

    def file(self, name: str, content: bytes) -> None:
        member = tarfile.TarInfo(name)
        member.size, member.mode = len(content), 0o644
        self._add_under(member, content)

    def link(self, name: str, target: str) -> None:
        member = tarfile.TarInfo(name)
        member.type, member.linkname, member.mode = tarfile.SYMTYPE, target, 0o777
        self._add_under(member, b"")

    def folder(self, name: str, mode: int) -> None:
        member = tarfile.TarInfo(name)
        member.type, member.mode = tarfile.DIRTYPE, mode
        self._add_under(member, b"")

    def _add_under(self, member: tarfile.TarInfo, content: bytes) -> None:
        parent = member.name.rpartition("/")[0]
        if parent and parent not in self:
            self.folder(parent, 0o755)
        self.add(member, content)

    def tar(self) -> bytes:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
            for name in sorted(self._entries):
                member, content = self._entries[name]
                archive.addfile(member, io.BytesIO(content))
        return buffer.getvalue()


def _unpack(tree: _Tree, package: Package) -> None:
    with package.files() as archive:
        for member in archive:
            member.name = member.name.removeprefix("./").rstrip("/")
            if member.name in ("", ".") or f"{member.name}/".startswith(_LEFT_OUT):
                continue
            stream = archive.extractfile(member) if member.isreg() else None
            tree.add(member, stream.read() if stream else b"")


def _status(packages: list[Package], variant: Variant) -> str:
    return "".join(_stanza(package, variant) + "\n\n" for package in packages)


def _stanza(package: Package, variant: Variant) -> str:
    head, _, rest = package.control.partition("\n")
    text = f"{head}\nStatus: install ok installed\n{rest}"
    return _VERSION.sub(f"Version: {variant}", text) if package.name == PACKAGE else text
