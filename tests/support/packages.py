"""Small Debian packages made on the spot, named like those of the demo's base, so that no mirror is needed."""

import os
import subprocess
from pathlib import Path

_FILES = {
    "base-files": {
        "etc/debian_version": "12.15\n",
        "usr/lib/os-release": 'PRETTY_NAME="Debian GNU/Linux 12"\nID=debian\nVERSION_ID="12"\n',
        "usr/share/doc/base-files/README": "left out of the image",
    },
    "busybox-static": {"bin/busybox": "#!/bin/false\n"},
    "media-types": {"etc/mime.types": "text/plain txt\n"},
    "netbase": {"etc/services": "http 80/tcp\n"},
    "zlib1g": {"lib/x86_64-linux-gnu/libz.so.1": "a library\n"},
}
_VERSIONS = {"base-files": "12.4+deb12u15", "zlib1g": "1:1.2.13.dfsg-1", "media-types": "10.0.0"}
_SOURCES = {"busybox-static": "busybox", "zlib1g": "zlib"}


def make_packages(cache: Path, *, release: str = "12.4+deb12u15") -> Path:
    """All packages that the base is made of, in `cache`."""
    versions = {**_VERSIONS, "base-files": release}
    for name, files in _FILES.items():
        version = versions.get(name, "1.0")
        tree = cache / "src" / name
        source = f"Source: {_SOURCES[name]}\n" if name in _SOURCES else ""
        control = (
            f"Package: {name}\n{source}Version: {version}\nArchitecture: amd64\n"
            f"Maintainer: Nobody <nobody@example.com>\nDescription: a stand-in\n of {name}\n"
        )
        for path, text in {"DEBIAN/control": control, **files}.items():
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            (tree / path).write_text(text)
            os.utime(tree / path, (0, 0))
        target = cache / f"{name}_{version.replace(':', '%3a')}_amd64.deb"
        subprocess.run(
            ["dpkg-deb", "--root-owner-group", "-Zgzip", "--build", str(tree), str(target)],
            check=True,
            capture_output=True,
            timeout=30,
        )
    return cache
