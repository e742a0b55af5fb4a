"""One figure and what it is compared with."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """`value` in `unit` (seconds, MiB, or a rate), beside the `baseline` measured in the same run."""

    value: float
    unit: str
    baseline: str
    baseline_value: float

    @property
    def ratio(self) -> float:
        return self.value / self.baseline_value

    def to_json(self) -> dict[str, Any]:
        return {
            "value": self.value,
            "unit": self.unit,
            "baseline": {"name": self.baseline, "value": self.baseline_value},
            "ratio": self.ratio,
        }
