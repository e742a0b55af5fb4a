"""What the engine says of a digest that it promotes, and that it is said before a stable tag moves there.

The SBOM is attached when a scan has passed, for then the list of packages is at hand; the verdict keeps its digest.
Verdict and proof are attached, and all of it is signed, right before the promotion. The statements are made of what
is kept with the rebuild, so that they are the same whenever it is done again.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from graph.reference import Reference
from groundswell.attest import sbom
from groundswell.attest.attachments import Attachments
from groundswell.attest.dsse import IN_TOTO
from groundswell.attest.referrers import PREDICATE, Attachment
from groundswell.attest.statements import (
    CYCLONEDX,
    PROVENANCE,
    VERDICT,
    Statement,
    encode,
    material,
    statement,
)
from groundswell.cascade.model import Rebuild
from groundswell.cascade.status import Status
from groundswell.lineage.model import Registration
from groundswell.registry.manifests import json_object
from groundswell.scan.port import Report
from groundswell.sign.port import Signer

BUILD_TYPE, REBASE_TYPE = "urn:groundswell:rebuild:v1", "urn:groundswell:rebase:v1"
_BUILDER, _PIPELINE = "urn:groundswell:builder:", "urn:groundswell:pipeline:"
"""Of the ACR Tasks of a registry, and of a pipeline by its name: who trusts the one need not trust the other."""


class Attest:
    """`signer` is None where no key is named: then all is attached, and nothing signed.

    With the `chain` of the key's certificates (it gives them in PEM) images are signed as Notation does, too.
    """

    def __init__(
        self, attachments: Attachments, signer: Signer | None, chain: Callable[[], bytes] | None = None
    ) -> None:
        self._attachments = attachments
        self._signer = signer
        self._chain = chain

    def packages(self, subject: Reference, reports: Sequence[Report]) -> str:
        """Attach the SBOM; returns its digest, empty where no scanner lists packages."""
        document = sbom.bill(subject, reports)
        if document is None:
            return ""
        (digest,) = self._attachments.attach(subject, [_bill(encode(document))])
        return digest

    def promotion(self, image: Registration, state: Rebuild) -> None:
        """Attach what is known of the candidate, and sign it. Raises what registry and signer raise."""
        subject = Reference(registry=image.registry, repository=image.repository, tag=None, digest=state.candidate)
        statements = [verdict(subject, state), proof(subject, image, state)]
        attached = [_said(each) for each in statements]
        self._attachments.attach(subject, attached)
        if digest := state.verdict.get("sbom"):
            content = self._attachments.content(subject, digest)
            attached.append(_bill(content))
            statements.append(statement(subject, CYCLONEDX, json_object(content, digest)))
        if self._signer is not None:
            self._attachments.sign(subject, statements, self._signer)
            if self._chain is not None:
                at = state.updated_at
                attached.append(self._attachments.notarize(subject, self._chain(), self._signer, at=at))
        self._attachments.confirm(subject, attached)


def _bill(content: bytes) -> Attachment:
    return Attachment(artifact_type=sbom.MEDIA_TYPE, media_type=sbom.MEDIA_TYPE, content=content)


def _said(said: Statement) -> Attachment:
    return Attachment(
        artifact_type=IN_TOTO, media_type=IN_TOTO, content=said.content, annotations={PREDICATE: said.kind}
    )


def verdict(subject: Reference, state: Rebuild) -> Statement:
    """The gate's verdict as it is kept, with the rebuild that it belongs to."""
    predicate = {
        "image": state.image,
        "cascade": state.cascade,
        "attempt": state.attempt,
        "decidedOn": _time(_since(state, Status.SCANNING, end=True)),
        "verdict": dict(state.verdict),
    }
    return statement(subject, VERDICT, predicate)


def proof(subject: Reference, image: Registration, state: Rebuild) -> Statement:
    """SLSA provenance v1 (slsa.dev/spec/v1.0/provenance), with the layer chain among the by-products.

    It is what the engine saw: inputs, bases with their digests, the run. The build itself is the builder's word. A
    rebase has no run, and names what it was made of; when it began and ended is then when it was done.
    """
    found, rebased = state.proof, "rebased" in state.inputs
    made = Status.VERIFYING if rebased else Status.BUILDING
    predicate: dict[str, Any] = {
        "buildDefinition": {
            "buildType": REBASE_TYPE if rebased else BUILD_TYPE,
            "externalParameters": {
                "image": image.name,
                "source": {"location": image.source.location, "ref": image.source.ref, "path": image.source.path},
                "dockerfile": image.dockerfile,
                "target": image.target,
                "buildArgs": dict(image.build_args),
                "platforms": list(image.platforms),
            },
            "internalParameters": {
                "cascade": state.cascade,
                "attempt": state.attempt,
                "inputs": state.inputs.get("key", ""),
            },
            "resolvedDependencies": list(_materials(image, state)),
        },
        "runDetails": {
            "builder": {"id": f"{_PIPELINE}{image.builder}" if image.builder else f"{_BUILDER}{image.registry}"},
            "metadata": {
                "invocationId": str(found.get("run", "")),
                "startedOn": _time(_since(state, made)),
                "finishedOn": _time(_since(state, made, end=not rebased)),
            },
            "byproducts": list(_chain(found)),
        },
    }
    return statement(subject, PROVENANCE, predicate)


def _materials(image: Registration, state: Rebuild) -> Iterator[Mapping[str, Any]]:
    """The source, the base that the layers prove, what was rebased, and what the build took files from."""
    revision = str(state.inputs.get("revision", ""))
    where = f"git+{image.source.location}" if image.source.is_git else image.source.location
    commit = f"gitCommit:{revision}" if revision and image.source.is_git else ""
    yield material(f"{where}@{image.source.ref}" if image.source.ref else where, commit, edge="source")
    if "base" in state.proof:
        named = Reference.parse(state.proof["base"]).without_digest()
        yield material(_docker(named), state.proof["base_digest"], edge="runtime", basis="proven by layers")
    if rebased := state.inputs.get("rebased"):
        stable = image.references[0]
        yield material(_docker(stable), rebased["image"], edge="rebased", basis="its own layers are taken from it")
    for each in state.proof.get("build", ()):
        named = Reference.parse(each["base"])
        yield material(_docker(named), each["digest"], edge="build", basis=each["basis"])


def _docker(named: Reference) -> str:
    return f"docker://{named}"


def _chain(found: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    if "layers" in found:
        platforms = [
            {"platform": each["platform"], "proven": each["proven"], "layers": each["layers"]}
            for each in found["layers"]["platforms"]
        ]
        chain = {"platforms": platforms, "baseLayers": list(found.get("base_layers", ()))}
        yield {"name": "layer-chain", "annotations": chain}


def _since(state: Rebuild, status: Status, *, end: bool = False) -> float:
    """When the rebuild last came into a status, or out of it at the `end`; 0 when its history does not say."""
    later = 0.0
    for moment in reversed(state.history):
        if moment.status is status:
            return later if end else moment.at
        later = moment.at
    return 0.0


def _time(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"
