"""What the doctor asks of services outside, as fakes that are all well unless they are told otherwise."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from groundswell.deploy.port import Act
from groundswell.errors import GroundswellError
from groundswell.registry.deliveries import Delivery


@dataclass
class FakeRights:
    denied: tuple[str, ...] = ()
    down: GroundswellError | None = None
    asked: list[tuple[str, str]] = field(default_factory=list)

    def missing(self, registry: str, repository: str, actions: Sequence[str]) -> tuple[str, ...]:
        if self.down:
            raise self.down
        self.asked.append((registry, repository))
        return tuple(each for each in actions if each in self.denied)


@dataclass
class FakePermissions:
    denied: tuple[str, ...] = ()

    def may(self, cluster: str, act: Act) -> bool:
        return f"{act.verb} {act.resource}" not in self.denied


@dataclass
class FakeDates:
    clock: Callable[[], float]
    offset: float = 0.0
    down: GroundswellError | None = None

    def __call__(self, url: str) -> float:
        if self.down:
            raise self.down
        return self.clock() - self.offset


@dataclass
class FakeDeliveries:
    hosts: tuple[str, ...] = ()
    lost: tuple[Delivery, ...] = ()

    def registries(self) -> tuple[str, ...]:
        return self.hosts

    def failed(self, registry: str) -> tuple[Delivery, ...]:
        return self.lost
