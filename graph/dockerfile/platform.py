"""Platforms as containerd reads and writes them (github.com/containerd/platforms, platforms.go and database.go)."""

import re
from dataclasses import dataclass

_OS = re.compile(r"([A-Za-z0-9_-]+)(?:\(([A-Za-z0-9_.%-]*)((?:\+[A-Za-z0-9_.%-]+)*)\))?")
_PART = re.compile(r"[A-Za-z0-9_.-]+")
_KNOWN_OS = frozenset(
    "aix android darwin dragonfly freebsd hurd illumos ios js linux nacl netbsd openbsd plan9 solaris wasip1 "
    "windows zos".split()
)
_KNOWN_ARCH = frozenset(
    "386 amd64 amd64p32 arm armbe arm64 arm64be loong64 mips mipsle mips64 mips64le mips64p32 mips64p32le ppc "
    "ppc64 ppc64le riscv riscv64 s390 s390x sparc sparc64 wasm".split()
)
_OS_ALIASES = {"macos": "darwin"}
_ARCH_ALIASES = {
    "i386": ("386", ""),
    "x86_64": ("amd64", ""),
    "x86-64": ("amd64", ""),
    "aarch64": ("arm64", ""),
    "armhf": ("arm", "v7"),
    "armel": ("arm", "v6"),
}


class PlatformError(ValueError):
    """The text is no platform; the message is containerd's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    os: str
    architecture: str
    variant: str = ""
    os_version: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


def parse(text: str, *, default: str = "linux/amd64") -> Platform:
    """The platform in `text` (`linux/arm64`, `arm64`, `linux`); what it leaves out comes from `default`."""
    if "*" in text:
        raise PlatformError(f'"{text}": wildcards not yet supported: not implemented')
    first, *rest = text.split("/")
    found = _OS.fullmatch(first)
    if found is None:
        raise PlatformError(
            f'"{first}" is an invalid OS component of "{text}": OSAndVersion specifier component must match '
            f'"^{_OS.pattern}$"'
        )
    for part in rest:
        if not _PART.fullmatch(part):
            raise PlatformError(f'"{part}" is an invalid component of "{text}"')
    os = _OS_ALIASES.get(found[1].lower(), found[1].lower())
    if not rest:
        return _single(text, os, found[2] or "", default)
    if len(rest) > 2:
        raise PlatformError(f'"{text}": cannot parse platform specifier: invalid argument')
    architecture, variant = _normal(rest[0], rest[1] if len(rest) == 2 else "")
    if len(rest) == 1 and (architecture, variant) == ("arm", "v7"):
        variant = ""
    return Platform(os=os, architecture=architecture, variant=variant, os_version=found[2] or "")


def _single(text: str, os: str, os_version: str, default: str) -> Platform:
    base = parse(default)
    if os in _KNOWN_OS:
        return Platform(os=os, architecture=base.architecture, variant=base.variant, os_version=os_version)
    architecture, variant = _normal(text, "")
    if architecture in _KNOWN_ARCH:
        return Platform(os=base.os, architecture=architecture, variant="" if variant == "v7" else variant)
    raise PlatformError(f'"{text}": unknown operating system or architecture: invalid argument')


def _normal(architecture: str, variant: str) -> tuple[str, str]:
    architecture, variant = architecture.lower(), variant.lower()
    if architecture in _ARCH_ALIASES:
        architecture, implied = _ARCH_ALIASES[architecture]
        variant = variant or implied
    if architecture == "arm64" and variant in ("8", "v8"):
        return architecture, ""
    if architecture == "amd64" and variant == "v1":
        return architecture, ""
    if architecture == "arm":
        variant = {"": "v7", "5": "v5", "6": "v6", "7": "v7", "8": "v8"}.get(variant, variant)
    return architecture, variant
