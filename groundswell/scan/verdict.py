"""A verdict: what the gate says of one digest, finding by finding, as it is kept with the rebuild and shown.

It is bounded, whatever the reports hold: the worst come first, the rest is cut and counted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

MAX_REASONS, MAX_FINDINGS, MAX_FIXED = 50, 100, 50
_LONGEST = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One finding as explained. `id` is `never` for a forbidden package.

    `state` is `new` or `carried` (production has it too), empty when there was nothing to compare with; `blame` is
    `base`, `image` (its own layers), `both`, or empty when the layer is not known. `refused` is whether the policy
    refuses it; `allowed` says why it does not, though its severity would. `said` is each scanner's severity.
    """

    id: str
    package: str
    installed: str
    fixed: str
    severity: str
    refused: bool = False
    state: str = ""
    blame: str = ""
    allowed: str = ""
    why: str = ""
    said: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The outcome for one digest. `reasons` are sentences for people, worst first, empty when passed.

    `counts` holds every severity by name, findings that the policy lets through included. `policy` is what it was
    held to, in words; `compared` the digest that production runs, empty when there was none to compare with.
    `findings` and `fixed` (in production, gone here) are the worst of each; `tally` counts all of them: `refused`,
    `allowed`, `new`, `carried`, `fixed`. `notes` are what people should know beside: allowances that have expired.
    `sbom` is the digest of the artifact with the bill of materials, once that is attached.
    """

    passed: bool
    digest: str
    scanner: str
    os: str
    reasons: tuple[str, ...]
    counts: Mapping[str, int]
    policy: str = ""
    compared: str = ""
    findings: tuple[Line, ...] = ()
    fixed: tuple[Line, ...] = ()
    tally: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    sbom: str = ""

    @property
    def left_out(self) -> int:
        """How many findings were cut from `findings`."""
        return sum(self.counts.values()) + self.tally.get("forbidden", 0) - len(self.findings)

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "reasons": list(self.reasons), "notes": list(self.notes)}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Verdict":
        """The verdict in a record, also in one that was kept before it explained its findings."""
        return cls(
            **{
                **document,
                "reasons": tuple(document["reasons"]),
                "notes": tuple(document.get("notes", ())),
                "findings": tuple(Line(**line) for line in document.get("findings", ())),
                "fixed": tuple(Line(**line) for line in document.get("fixed", ())),
            }
        )


def cut(text: str, longest: int = _LONGEST) -> str:
    """`text` as it is kept: bounded, with a mark where it was cut."""
    return text if len(text) <= longest else text[: longest - 1] + "…"


def shortened(sentences: Sequence[str]) -> tuple[str, ...]:
    """At most MAX_REASONS sentences, and one that counts the rest."""
    kept = [cut(sentence, 3 * _LONGEST) for sentence in sentences[:MAX_REASONS]]
    return (*kept, *([f"and {len(sentences) - MAX_REASONS} more"] if len(sentences) > MAX_REASONS else []))
