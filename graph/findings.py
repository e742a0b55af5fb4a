"""What is known of images, and what the layers of one say of another as its base."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from graph.chains import Chain, shared
from graph.lineage import EdgeKind


class Sureness(StrEnum):
    PROVEN = "proven"  # by the layers, for every platform of the image
    PARTIAL = "partial"  # by the layers of some platforms; the others differ, or the base lacks them
    CLAIMED = "claimed"  # something says so, and the layers can neither prove nor disprove it
    DISPROVED = "disproved"  # something says so, and the layers contradict it


class Basis(StrEnum):
    """What a finding rests on."""

    LAYERS = "layers"
    ANNOTATION = "annotation"  # org.opencontainers.image.base.name and .digest of the manifest or the index
    LABEL = "label"  # the same in the image config, where a child inherits it
    PROVENANCE = "provenance"  # SLSA provenance that BuildKit attests
    REGISTRATION = "registration"


class Place(StrEnum):
    """Where the base is."""

    HERE = "here"  # in the registry that was read
    ABSENT = "absent"  # its name is of this registry, which does not have it
    ELSEWHERE = "elsewhere"  # in another registry, which was not read


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What an image says of a base: a canonical reference, with the digest where it is told."""

    base: str
    basis: Basis


@dataclass(frozen=True, slots=True, kw_only=True)
class Layers:
    """One platform of an image: the digest of its manifest, its chain, and the commands of its history."""

    platform: str
    digest: str
    chain: Chain
    history: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """An image that was read, by its digest.

    `name` is `registry/repository`; `references` are the canonical tags that point at it, none for one that a tag
    has left. `created` is in seconds since 1970, None when the image does not tell the truth about it.
    """

    digest: str
    name: str
    references: tuple[str, ...]
    platforms: tuple[Layers, ...]
    claims: tuple[Claim, ...] = ()
    created: float | None = None

    @property
    def reference(self) -> str:
        """What it is called: its first tag, or its digest."""
        return self.references[0] if self.references else f"{self.name}@{self.digest}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """`image` stands on `base`, how sure that is, and why.

    `base` is a tag where one is known, without a digest: `base_digest` is the one that the image stands on,
    `current_digest` the one that the tag points at now; None where it is not known. `platforms` are those that the
    layers prove.
    """

    image: str
    base: str
    kind: EdgeKind
    sureness: Sureness
    basis: Basis
    place: Place
    why: str
    base_digest: str | None = None
    current_digest: str | None = None
    platforms: tuple[str, ...] = ()

    @property
    def stale(self) -> bool:
        """Whether the base has moved on since."""
        return (
            self.sureness is not Sureness.DISPROVED
            and None not in (self.base_digest, self.current_digest)
            and self.base_digest != self.current_digest
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What the layers of an image say of one base, by platform; those in `lacking` the base does not have."""

    base: Known
    proven: tuple[str, ...]
    differ: tuple[str, ...]
    lacking: tuple[str, ...]

    @property
    def sureness(self) -> Sureness | None:
        """None when they prove nothing."""
        if not self.proven:
            return None
        return Sureness.PARTIAL if self.differ or self.lacking else Sureness.PROVEN


def prove(image: Known, base: Known) -> Proof:
    """Whether the chains of `image` begin with those of `base`. A base without layers proves nothing."""
    verdicts: dict[str, set[bool | None]] = {}
    for layers in image.platforms:  # a Windows image has one for each release under the same platform
        below = [each.chain for each in base.platforms if each.platform == layers.platform and each.chain]
        stands = any(layers.chain[: len(chain)] == chain for chain in below) if below else None
        verdicts.setdefault(layers.platform, set()).add(stands)
    return Proof(
        base=base,
        proven=tuple(platform for platform, seen in verdicts.items() if seen == {True}),
        differ=tuple(platform for platform, seen in verdicts.items() if False in seen),
        lacking=tuple(platform for platform, seen in verdicts.items() if None in seen and False not in seen),
    )


def proven(finding: Finding, image: Known, proof: Proof, *, unknown: str | None) -> Finding:
    """`finding` (a claim) with what proves it; `unknown` is the digest it named, where no such image was found."""
    why = f"{_SAYS[finding.basis]}, and {begins(image, proof)}"
    if unknown:
        why += f"; the digest it names, {short(unknown)}, is not in the registry"
    current = finding.current_digest
    if current and current != proof.base.digest:
        why += f"; its tag points at {short(current)} now, the image stands on {short(proof.base.digest)}"
    return replace(
        finding,
        sureness=proof.sureness or finding.sureness,
        why=why,
        base_digest=proof.base.digest,
        platforms=proof.proven,
    )


def unproven(finding: Finding, image: Known, proofs: Sequence[Proof], *, unknown: str | None) -> Finding:
    """`finding` (a claim) with what leaves it open, or disproves it."""
    says = _SAYS[finding.basis]
    if not proofs:
        why = {
            Place.HERE: "it is this very image",
            Place.ABSENT: "the registry does not have it",
            Place.ELSEWHERE: "its registry was not read",
        }[finding.place]
        return replace(finding, why=f"{says}; {why}")
    differing = next((proof for proof in proofs if proof.differ), None)
    if differing is None:
        return replace(finding, why=f"{says}; the base has no layers for {', '.join(proofs[0].lacking)}")
    if max(len(layers.chain) for layers in image.platforms) == 1:
        return replace(finding, why=f"{says}; the image has one layer, so a squashed base could be in it")
    if unknown:
        now = f"; its tag points at {short(finding.current_digest)} now" if finding.current_digest else ""
        return replace(
            finding,
            why=f"{says}, with digest {short(unknown)}, which is not in the registry{now}, with other layers",
        )
    return replace(finding, sureness=Sureness.DISPROVED, why=f"{says}, but {_differs(image, differing)}")


_SAYS = {
    Basis.LAYERS: "",
    Basis.ANNOTATION: "its annotation names it",
    Basis.LABEL: "its label names it",
    Basis.PROVENANCE: "its provenance names it",
    Basis.REGISTRATION: "it is registered so",
}


def begins(image: Known, proof: Proof) -> str:
    """In words, how far the proof reaches."""
    if not (proof.differ or proof.lacking):
        same = all(
            any(each.platform == layers.platform and each.chain == layers.chain for each in proof.base.platforms)
            for layers in image.platforms
        )
        return "its layers are the base's" if same else "its layers begin with the base's"
    parts = [f"its layers begin with the base's for {', '.join(proof.proven)}"]
    parts += [f"differ for {', '.join(proof.differ)}"] if proof.differ else []
    parts += [f"the base has none for {', '.join(proof.lacking)}"] if proof.lacking else []
    return "; ".join(parts)


def _differs(image: Known, proof: Proof) -> str:
    """The first platform that contradicts."""
    pairs = (
        (layers, below)
        for layers in image.platforms
        for below in proof.base.platforms
        if layers.platform == below.platform == proof.differ[0]
    )
    layers, below = max(pairs, key=lambda pair: shared(pair[0].chain, pair[1].chain))
    count = shared(layers.chain, below.chain)
    return (
        f"for {layers.platform} its layers do not begin with those of {short(proof.base.digest)}: "
        f"{count} of {len(below.chain)} are there"
    )


def short(digest: str) -> str:
    """The first twelve digits, as people compare digests."""
    return digest.partition(":")[2][:12]
