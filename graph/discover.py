"""Who stands on whom, read from the images themselves: from layers, and from what images say of their base.

An image stands on a base when its chain of layers begins with the base's whole chain. That is proof, and the
longest such chain among the known images is the nearest base. What an annotation, a label, a provenance attestation
or a registration says of the base is a claim, which the layers prove, leave open, or disprove. A claim that they
prove goes before the nearest: builds that share cached layers look as if one stood on the other.

Where two images have the same layers, a claim tells which of them is the base, or the history: it goes on in the
dependant where the base's ends. Images under one digest are one image with several tags.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from graph.chains import ChainIndex
from graph.findings import Basis, Claim, Finding, Known, Layers, Place, Sureness, begins, prove, proven, unproven
from graph.lineage import EdgeKind
from graph.reference import Reference

_ALSO = 3
"""How many other bases with the same layers a finding names."""


class Discovery:
    """What can be found out about the images of `registry` (a login server) that were read, one for each digest."""

    def __init__(self, registry: str, images: Iterable[Known]) -> None:
        self._registry = registry
        self._by_tag: dict[str, Known] = {}
        self._by_digest: dict[str, Known] = {}
        self._untagged: dict[str, list[Known]] = {}
        self._index: ChainIndex[_Level] = ChainIndex()
        known = sorted(images, key=_likeliest)
        for image in known:
            self._by_tag.update(dict.fromkeys(image.references, image))
            if not image.references:
                self._untagged.setdefault(image.name, []).append(image)
            for layers in image.platforms:
                self._by_digest.setdefault(layers.digest, image)
                if layers.chain:  # scratch is nobody's base
                    self._index.at(layers.platform, layers.chain, _Level).add(_Peer(image, layers))
        self._by_digest.update({image.digest: image for image in known})
        self._images = tuple(sorted((each for each in known if each.references), key=lambda each: each.reference))

    @property
    def images(self) -> tuple[Known, ...]:
        """Those that a tag points at, by reference."""
        return self._images

    def published(self, reference: str) -> Known | None:
        """What a tag (canonical) points at."""
        return self._by_tag.get(reference)

    def find(self, image: Known) -> tuple[Finding, ...]:
        """Everything that `image` stands on or says that it stands on: the runtime base first, then the rest."""
        nearest = self._nearest(image)
        claims = _own_claims(image, [near.base for near in nearest])
        judged = [self.judge(image, claim.base, basis=claim.basis) for claim in claims]
        chosen = self._chosen(judged)
        found = [chosen] if chosen else []
        covered = chosen.platforms if chosen else ()
        found += [near.finding for near in nearest if not near.platforms.issubset(covered)]
        named = {finding.base for finding in found}
        for finding in judged:
            if finding.basis is not Basis.PROVENANCE and not finding.platforms and finding.base not in named:
                found.append(finding)
                named.add(finding.base)
        materials = [finding for finding in judged if finding.basis is Basis.PROVENANCE]
        return (*found, *_build_edges(found, materials))

    def judge(self, image: Known, base: str, *, basis: Basis, kind: EdgeKind = EdgeKind.RUNTIME) -> Finding:
        """What the layers say of the claim that `image` stands on `base` (canonical).

        A base whose tag has moved is looked for among the images of its repository that have no tag any more.
        """
        reference = Reference.parse(base)
        named = self._by_digest.get(reference.digest) if reference.digest else None
        called = _called(reference, named)
        current = self._by_tag.get(called)
        candidates = [each for each in (named, current) if each]
        if basis is Basis.REGISTRATION and reference.digest:  # a pin means that digest, wherever its tag points
            candidates = [named] if named else []
        elif reference.name != image.name:  # its own untagged images are what it was before
            candidates += self._untagged.get(reference.name, [])
        absent = Place.ABSENT if reference.registry == self._registry else Place.ELSEWHERE
        finding = Finding(
            image=image.reference,
            base=called,
            kind=kind,
            sureness=Sureness.CLAIMED,
            basis=basis,
            place=Place.HERE if candidates else absent,
            why="",
            base_digest=reference.digest,
            current_digest=current.digest if current else None,
        )
        proofs = [prove(image, each) for each in candidates if each.digest != image.digest]
        proofs.sort(key=lambda proof: (Sureness.PROVEN, Sureness.PARTIAL, None).index(proof.sureness))
        unknown = reference.digest if not named else None
        if proofs and proofs[0].sureness:
            return proven(finding, image, proofs[0], unknown=unknown)
        return unproven(finding, image, proofs, unknown=unknown)

    def _chosen(self, judged: Sequence[Finding]) -> Finding | None:
        """The claim that the layers prove: the manifest's own before the builder's, and those before a label."""
        for basis in (Basis.ANNOTATION, Basis.PROVENANCE, Basis.LABEL):
            of_basis = [finding for finding in judged if finding.basis is basis and finding.platforms]
            if of_basis:
                return max(of_basis, key=self._height)
        return None

    def _height(self, finding: Finding) -> int:
        """Layers of the base: of several that the image begins with, the highest is what it stands on."""
        base = self._by_digest.get(finding.base_digest or "")
        return max((len(layers.chain) for layers in base.platforms), default=0) if base else 0

    def _nearest(self, image: Known) -> list["_Near"]:
        """The nearest bases by layers alone: one, unless the platforms stand on different ones."""
        found: dict[str, _Near] = {}
        for layers in image.platforms:
            near = self._beneath(_Peer(image, layers))
            if near:
                first = found.setdefault(near.base.digest, near)
                first.platforms.update(near.platforms)
        return list(found.values())

    def _beneath(self, me: "_Peer") -> "_Near | None":
        twins: list[_Peer] = []
        for length, level in self._index.beneath(me.layers.platform, me.layers.chain):
            same = length == len(me.layers.chain)
            if same:
                twins = level.by_history.get(me.layers.history, [])
            peers = me.some(level.before(me.layers.history, strictly=same))
            if not peers and not same:
                peers = me.some(level.peers)
            if peers:
                return _by_layers(me, peers, same=same)
        return _by_clock(me, twins)


@dataclass(frozen=True, slots=True)
class _Peer:
    """An image by one of its platforms."""

    known: Known
    layers: Layers

    def some(self, peers: Iterable["_Peer"]) -> list["_Peer"]:
        """The first that this may stand on, and a few more to name beside it."""
        return list(islice((peer for peer in peers if self.may_stand_on(peer)), 2 + _ALSO))

    def may_stand_on(self, other: "_Peer") -> bool:
        """Not on itself, not on the index it is part of, and not on what its own tag pointed at before."""
        return (
            self.known.digest != other.known.digest
            and self.layers.digest != other.layers.digest
            and (bool(other.known.references) or self.known.name != other.known.name)
        )


@dataclass(slots=True)
class _Level:
    """Everything known that has one and the same chain, the likeliest base first."""

    peers: list[_Peer] = field(default_factory=list)
    by_history: dict[tuple[str, ...], list[_Peer]] = field(default_factory=dict)

    def add(self, peer: _Peer) -> None:
        self.peers.append(peer)
        self.by_history.setdefault(peer.layers.history, []).append(peer)

    def before(self, history: Sequence[str], *, strictly: bool) -> Iterator[_Peer]:
        """Those whose history `history` goes on from, the longest first; not those that have none."""
        for length in range(len(history) - strictly, 0, -1):
            yield from self.by_history.get(tuple(history[:length]), ())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Near:
    """A base by layers, and the platforms for which no other is nearer."""

    base: Known
    platforms: set[str]
    finding: Finding


def _by_layers(me: _Peer, peers: Sequence[_Peer], *, same: bool) -> _Near:
    base, history = peers[0].known, peers[0].layers.history
    proof = prove(me.known, base)
    why = "its layers are the base's, and its history goes on from there" if same else begins(me.known, proof)
    others = [
        peer.known.reference for peer in peers[1:] if peer.known.references and peer.layers.history == history
    ]
    if others:
        more = " and more" if len(others) > _ALSO else ""
        why += f"; the same layers are in {', '.join(others[:_ALSO])}{more}"
    if not base.references:
        why += "; no tag points at it any more"
    finding = _seen(me.known, base, why)
    finding = replace(finding, sureness=proof.sureness or Sureness.CLAIMED, platforms=proof.proven)
    return _Near(base=base, platforms={me.layers.platform}, finding=finding)


def _by_clock(me: _Peer, twins: Sequence[_Peer]) -> _Near | None:
    """An older image elsewhere with the same layers and history: only the clock tells which came first."""
    created = me.known.created or -math.inf
    for twin in twins:
        elsewhere = twin.known.name != me.known.name and twin.known.references
        if elsewhere and (twin.known.created or math.inf) < created and me.may_stand_on(twin):
            why = "both have the same layers and history; only the time of creation tells which came first"
            base = twin.known
            return _Near(base=base, platforms={me.layers.platform}, finding=_seen(me.known, base, why))
    return None


def _seen(image: Known, base: Known, why: str) -> Finding:
    return Finding(
        image=image.reference,
        base=base.reference,
        kind=EdgeKind.RUNTIME,
        sureness=Sureness.CLAIMED,
        basis=Basis.LAYERS,
        place=Place.HERE,
        why=why,
        base_digest=base.digest,
        current_digest=base.digest if base.references else None,
    )


def _own_claims(image: Known, nearest: Sequence[Known]) -> list[Claim]:
    """Without the labels that the image has from the base it stands on: those tell of the base's own base."""
    inherited = {claim for base in nearest for claim in base.claims if claim.basis is Basis.LABEL}
    return [claim for claim in dict.fromkeys(image.claims) if claim not in inherited]


def _build_edges(found: Sequence[Finding], materials: Sequence[Finding]) -> list[Finding]:
    """What the provenance names beside the runtime base; layers show nothing of what a build copies from.

    When no runtime base is known and one image alone was used, that is the runtime base by all likelihood.
    """
    known = {finding.base for finding in found if finding.sureness is not Sureness.DISPROVED}
    rest = {finding.base: finding for finding in reversed(materials) if finding.base not in known}
    if not known and len(rest) == 1 and all(each.sureness is Sureness.CLAIMED for each in rest.values()):
        return list(rest.values())
    open_end = "" if known else "; one of these may be its runtime base"
    return [
        replace(
            finding,
            kind=EdgeKind.BUILD,
            sureness=Sureness.CLAIMED,
            why=f"its provenance names it; layers do not show what a build copies from{open_end}",
            platforms=(),
        )
        for finding in reversed(rest.values())
    ]


def _called(reference: Reference, named: Known | None) -> str:
    """The base by its tag where there is one: the claim's, or that of the image it means."""
    if reference.tag:
        return str(reference.without_digest())
    return named.reference if named else str(reference)


def _likeliest(image: Known) -> tuple[bool, int, float, str]:
    """Of several bases with the same layers: one that has a tag, the most platforms, and was there first."""
    return (not image.references, -len(image.platforms), image.created or math.inf, image.reference)
