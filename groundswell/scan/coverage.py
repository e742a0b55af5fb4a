"""Which part of a vulnerability database answers for a platform. Pure.

Trivy also calls an image clean when its database holds no advisories for that platform at all. So the name of the
database's bucket is worked out here the way Trivy does it, and must be there. Platforms that are not listed are
refused: Trivy 0.59 has no advisories for them.
Names: trivy-db `pkg/vulnsrc/*`, trivy `pkg/detector/{ospkg,library}`.
"""

from collections.abc import Callable, Collection


def _major(version: str) -> str:
    return version.partition(".")[0]


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


def _amazon(version: str) -> str:
    """`2 (Karoo)` → 2, `2023.6 (Amazon Linux)` → 2023; the years before were all version 1."""
    major = _major(version.partition(" ")[0])
    return major if major in ("2", "2022", "2023") else "1"


def _plain(version: str) -> str:
    return version


_SYSTEMS: dict[str, tuple[str, Callable[[str], str]]] = {
    "alma": ("alma {}", _major),
    "alpine": ("alpine {}", _minor),
    "amazon": ("amazon linux {}", _amazon),
    "azurelinux": ("Azure Linux {}", _minor),
    "cbl-mariner": ("CBL-Mariner {}", _minor),
    "centos": ("Red Hat", _plain),
    "chainguard": ("chainguard", _plain),
    "debian": ("debian {}", _major),
    "opensuse-leap": ("openSUSE Leap {}", _minor),
    "opensuse-tumbleweed": ("openSUSE Tumbleweed", _plain),
    "opensuse.leap": ("openSUSE Leap {}", _minor),
    "opensuse.tumbleweed": ("openSUSE Tumbleweed", _plain),
    "oracle": ("Oracle Linux {}", _major),
    "photon": ("Photon OS {}", _minor),
    "redhat": ("Red Hat", _plain),
    "rocky": ("rocky {}", _major),
    "suse linux enterprise micro": ("SUSE Linux Enterprise Micro {}", _minor),
    "suse linux enterprise server": ("SUSE Linux Enterprise {}", _plain),
    "ubuntu": ("ubuntu {}", _minor),
    "wolfi": ("wolfi", _plain),
}

_ECOSYSTEMS = {
    kind: ecosystem
    for ecosystem, kinds in {
        "cargo": "cargo rustbinary",
        "cocoapods": "cocoapods",
        "composer": "composer composer-vendor",
        "conan": "conan",
        "erlang": "hex",
        "go": "gobinary gomod",
        "maven": "gradle jar pom sbt",
        "npm": "javascript node-pkg npm pnpm yarn",
        "nuget": "dotnet-core nuget packages-props",
        "pip": "pip pipenv poetry python-pkg uv",
        "pub": "pub",
        "rubygems": "bundler gemspec",
        "swift": "swift",
    }.items()
    for kind in kinds.split()
}


_MAINTAINED: dict[str, str] = {
    "alma {}": "8 9 10",
    "alpine {}": "3.16 3.17 3.18 3.19 3.20 3.21 3.22 3.23",
    "amazon linux {}": "2 2023",
    "Azure Linux {}": "3.0",
    "CBL-Mariner {}": "1.0 2.0",
    "debian {}": "10 11 12 13",
    "openSUSE Leap {}": "15.3 15.4 15.5 15.6",
    "Oracle Linux {}": "7 8 9",
    "Photon OS {}": "3.0 4.0 5.0",
    "rocky {}": "8 9",
    "SUSE Linux Enterprise {}": "12.5 15.3 15.4 15.5 15.6 15.7",
    "SUSE Linux Enterprise Micro {}": "5.1 5.2 5.3 5.4 5.5 6.0",
    "ubuntu {}": "16.04 18.04 20.04 22.04 24.04 24.10 25.04",
}

PUBLISHED: frozenset[str] = frozenset(
    {
        *(pattern.format(release) for pattern, releases in _MAINTAINED.items() for release in releases.split()),
        *("Red Hat", "chainguard", "openSUSE Tumbleweed", "wolfi"),
        *(f"{ecosystem}::" for ecosystem in set(_ECOSYSTEMS.values())),
    }
)
"""What the database that Trivy's makers publish is known to have advisories for, of what is still maintained.

For where the database itself cannot be looked into. It errs on the safe side: a release that is newer than this
list is refused until the settings say that the database covers it.
Sources: trivy-db `pkg/vulnsrc/*`, and the end-of-life tables of trivy `pkg/detector/ospkg/*`.
"""


def knows_system(buckets: Collection[str], family: str, version: str) -> bool:
    """Whether a database with `buckets` has advisories for the operating system."""
    if family not in _SYSTEMS:
        return False
    pattern, shorten = _SYSTEMS[family]
    return pattern.format(shorten(version)) in buckets


def knows_language(buckets: Collection[str], kind: str) -> bool:
    """Whether a database with `buckets` has advisories for packages that Trivy calls `kind` (`gobinary`)."""
    ecosystem = _ECOSYSTEMS.get(kind)
    return ecosystem is not None and any(bucket.startswith(f"{ecosystem}::") for bucket in buckets)
