"""Platforms as containerd reads and writes them (github.com/containerd/platforms, platforms.go and database.go)."""

import re
from dataclasses import dataclass, replace
from urllib.parse import unquote

from graph.dockerfile.gotext import quote

_OS = re.compile(r"([A-Za-z0-9_-]+)(?:\(([A-Za-z0-9_.%-]*)((?:\+[A-Za-z0-9_.%-]+)*)\))?")
_PART = re.compile(r"[A-Za-z0-9_.-]+")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2}).{0,2}")
_KNOWN_OS = frozenset(
    "aix android darwin dragonfly freebsd hurd illumos ios js linux nacl netbsd openbsd plan9 solaris windows "
    "zos".split()
)
_KNOWN_ARCH = frozenset(
    "386 amd64 amd64p32 arm armbe arm64 arm64be loong64 mips mipsle mips64 mips64le mips64p32 mips64p32le ppc "
    "ppc64 ppc64le riscv riscv64 s390 s390x sparc sparc64 wasm".split()
)
# What a build machine adds to an operating system or an architecture alone.
_HOST_OS, _HOST_ARCH = "linux", "amd64"
_ENCODED = str.maketrans({"%": "%25", "+": "%2B", "(": "%28", ")": "%29", "/": "%2F"})


class PlatformError(ValueError):
    """The text is no platform; the message is containerd's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    os: str
    architecture: str
    variant: str = ""
    os_version: str = ""
    os_features: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self._joined(self.os)

    @property
    def full(self) -> str:
        """With version and features of the operating system: `windows(10.0.17763)/amd64`."""
        if not self.os_version and not self.os_features:
            return str(self)
        features = "".join(f"+{feature.translate(_ENCODED)}" for feature in sorted({*self.os_features}))
        return self._joined(f"{self.os}({self.os_version.translate(_ENCODED)}{features})")

    def _joined(self, os: str) -> str:
        return "/".join(part for part in (os, self.architecture, self.variant) if part)

    def normalised(self) -> "Platform":
        """With the variant that stands for none: v7 for arm, none for arm64."""
        architecture, variant = _normal(self.architecture, self.variant)
        return replace(self, architecture=architecture, variant=variant)


def parse(text: str) -> Platform:
    """The platform in `text`: `linux/arm64`, `arm64`, `linux`, `linux/arm/v7`. Raises PlatformError."""
    shown = quote(text)
    if "*" in text:
        raise PlatformError(f"{shown}: wildcards not yet supported: invalid argument")
    first, *rest = text.split("/", 3)
    found = _OS.fullmatch(first)
    if found is None:
        expected = f"OSAndVersion specifier component must match {quote(f'^{_OS.pattern}$')}: invalid argument"
        raise PlatformError(f"{quote(first)} is an invalid OS component of {shown}: {expected}")
    os = found[1].lower()
    os = "darwin" if os == "macos" else os
    version = _decoded(found[2] or "", f"{shown} has an invalid OS version {quote(found[2] or '')}: ")
    raw = (found[3] or "").split("+")[1:]
    features = tuple(
        _decoded(one, f"{shown} has invalid OS features: invalid os feature {quote(one)}: ") for one in raw
    )
    for part in rest:
        if not _PART.fullmatch(part):
            expected = f"platform specifier component must match {quote(f'^{_PART.pattern}$')}: invalid argument"
            raise PlatformError(f"{quote(part)} is an invalid component of {shown}: {expected}")
    if len(rest) > 2:
        raise PlatformError(f"{shown}: cannot parse platform specifier: invalid argument")
    if not rest and os in _KNOWN_OS:
        return Platform(os=os, architecture=_HOST_ARCH, os_version=version, os_features=features)
    architecture, variant = _normal(rest[0] if rest else text, rest[1] if len(rest) == 2 else "")
    if len(rest) < 2 and (architecture, variant) == ("arm", "v7"):
        variant = ""
    if not rest:
        if architecture not in _KNOWN_ARCH:
            raise PlatformError(f"{shown}: unknown operating system or architecture: invalid argument")
        os = _HOST_OS
    elif len(rest) == 2 and (architecture, variant) == ("arm64", ""):
        variant = "v8"
    return Platform(
        os=os,
        architecture=architecture,
        variant=variant,
        os_version=version,
        os_features=tuple(filter(None, features)),
    )


def _decoded(text: str, problem: str) -> str:
    bad = _BAD_ESCAPE.search(text)
    if bad:
        raise PlatformError(f"{problem}invalid URL escape {quote(bad[0])}")
    return unquote(text)


def _normal(architecture: str, variant: str) -> tuple[str, str]:
    architecture, variant = architecture.lower(), variant.lower()
    match architecture:
        case "i386":
            return "386", ""
        case "x86_64" | "x86-64" | "amd64":
            return "amd64", "" if variant == "v1" else variant
        case "aarch64" | "arm64":
            variants = {"8": "", "v8": "", "v8.0": "", "9": "v9", "9.0": "v9", "v9.0": "v9"}
            return "arm64", variants.get(variant, variant)
        case "armhf":
            return "arm", "v7"
        case "armel":
            return "arm", "v6"
        case "arm":
            return "arm", {"": "v7", "5": "v5", "6": "v6", "7": "v7", "8": "v8"}.get(variant, variant)
    return architecture, variant
