"""What was found out about images, held against what is registered."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

from graph.discover import Discovery
from graph.findings import Basis, Finding, Known, Place, Sureness
from graph.lineage import EdgeKind, Lineage, Node
from graph.reference import Reference

SCRATCH = "scratch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unregistered:
    """An image that nobody registered and that stands on something.

    `bases` are what it stands on; `reaches` tells whether the way down leads to a base that registered images stand
    on, or to a registered image; `sibling` is a registered image with other tags of the same repository.
    """

    image: str
    bases: tuple[str, ...]
    reaches: bool
    sibling: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Differences:
    """`registered` holds a verdict on every registered edge, under the registration's name.

    `missing` are the names of the registered images of which the registry has no tag.
    """

    registered: tuple[Finding, ...]
    unregistered: tuple[Unregistered, ...]
    missing: tuple[str, ...]


def compare(
    discovery: Discovery,
    found: Mapping[str, Sequence[Finding]],
    lineage: Lineage,
    *,
    within: Callable[[Reference], bool],
) -> Differences:
    """`found` holds `discovery.find` of every image by its reference; `within` tells which tags were looked for."""
    registered: list[Finding] = []
    missing = []
    for node in sorted(lineage, key=lambda node: node.name):
        if not any(within(Reference.parse(tag)) for tag in node.publishes):
            continue
        image = next((known for tag in node.publishes if (known := discovery.published(tag))), None)
        if image is None:
            missing.append(node.name)
        else:
            verdicts = _verdicts(discovery, node, image, found.get(image.reference, ()))
            registered += [replace(verdict, image=node.name) for verdict in verdicts]
    return Differences(
        registered=tuple(registered),
        unregistered=tuple(_unregistered(discovery, found, lineage)),
        missing=tuple(missing),
    )


def _verdicts(discovery: Discovery, node: Node, image: Known, found: Sequence[Finding]) -> list[Finding]:
    instead = next((each for each in found if each.kind is EdgeKind.RUNTIME and each.platforms), None)
    verdicts = []
    if node.runtime:
        verdict = discovery.judge(image, node.runtime, basis=Basis.REGISTRATION)
        if verdict.sureness is Sureness.DISPROVED and instead:
            verdict = replace(verdict, why=f"{verdict.why}; they begin with those of {instead.base}")
        verdicts.append(verdict)
    elif instead and instead.sureness is Sureness.PROVEN:
        why = f"it is registered as standing on nothing, but its layers begin with those of {instead.base}"
        nothing = Finding(
            image=image.reference,
            base=SCRATCH,
            kind=EdgeKind.RUNTIME,
            sureness=Sureness.DISPROVED,
            basis=Basis.REGISTRATION,
            place=Place.HERE,
            why=why,
        )
        verdicts.append(nothing)
    attested = {each.base: each for each in found if each.basis is Basis.PROVENANCE}
    for base in node.build:
        verdict = discovery.judge(image, base, basis=Basis.REGISTRATION, kind=EdgeKind.BUILD)
        verdicts.append(_of_build(verdict, attested))
    return verdicts


def _of_build(verdict: Finding, attested: Mapping[str, Finding]) -> Finding:
    """The layers do not show build edges; the provenance may, with the digest that was used."""
    named = attested.get(verdict.base)
    if named:
        why = "its provenance names it too"
    elif verdict.place is not Place.HERE:
        why = verdict.why
    elif attested:
        why = "its provenance does not name it"
    else:
        why = "layers do not show what a build copies from"
    digest = named.base_digest if named else Reference.parse(verdict.base).digest
    return replace(verdict, sureness=Sureness.CLAIMED, why=why, base_digest=digest, platforms=())


def _unregistered(
    discovery: Discovery, found: Mapping[str, Sequence[Finding]], lineage: Lineage
) -> Iterable[Unregistered]:
    repositories = {Reference.parse(tag).name: node.name for node in lineage for tag in node.publishes}
    watched = set(lineage.bases())

    @cache
    def reaches(base: str) -> bool:
        """Downwards from `base`, whatever tags an image is called by; a circle of claims leads nowhere."""
        seen, stack = {base}, [base]
        while stack:
            at = stack.pop()
            known = discovery.published(at)
            tags = known.references if known else (at,)
            if any(tag in watched or lineage.publisher(tag) for tag in tags):
                return True
            bases = _bases(found.get(known.reference, ())) if known else ()
            stack += [each for each in bases if each not in seen]
            seen.update(bases)
        return False

    for image in discovery.images:
        bases = _bases(found.get(image.reference, ()))
        if bases and not any(map(lineage.publisher, image.references)):
            yield Unregistered(
                image=image.reference,
                bases=bases,
                reaches=any(reaches(base) for base in bases),
                sibling=repositories.get(image.name),
            )


def _bases(findings: Iterable[Finding]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(each.base for each in findings if each.sureness is not Sureness.DISPROVED))
