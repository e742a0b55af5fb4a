"""A world whose people are told: channels that remember what they got, and fail as they are told to."""

from dataclasses import dataclass, field, replace

from groundswell.channels import Channel, Kind, Service
from groundswell.errors import GroundswellError
from groundswell.notify.delivery import Delivery
from groundswell.notify.notice import Notice
from groundswell.notify.post import NOTICES
from groundswell.wiring import App
from tests.support.world import World

MINUTE = 60.0


def channel(**changes: object) -> Channel:
    return Channel(**{"service": Service.SLACK, "url": "https://hooks.example/x", **changes})  # type: ignore[arg-type]  # as given


@dataclass
class FakeSender:
    """`down` are channels by their address, with what a try raises."""

    sent: list[tuple[str, Notice]] = field(default_factory=list)
    tried: list[tuple[str, str, float]] = field(default_factory=list)
    down: dict[str, GroundswellError] = field(default_factory=dict)

    def send(self, channel: Channel, notice: Notice, *, at: float) -> None:
        self.tried.append((channel.url, notice.id, at))
        if channel.url in self.down:
            raise self.down[channel.url]
        self.sent.append((channel.url, notice))


def listen(world: World, app: App | None = None, **channels: Channel) -> FakeSender:
    """Give an app channels, by default one that is told everything; returns what stands in for the network."""
    app = app or world.app
    app.settings = replace(app.settings, notify=channels or {"all": channel()})
    sender = FakeSender()
    for made in ("notices", "watch"):  # of the settings before
        vars(app).pop(made, None)
    vars(app)["sender"] = sender
    return sender


def deliver(app: App) -> int:
    """Handle every message that is due; returns how many."""
    count = 0
    while messages := app.store.receive(NOTICES, limit=32, lease=600):
        for message in messages:
            app.notices.handle(message.body)
            app.store.delete(NOTICES, message)
            count += 1
    return count


def minutes(world: World, count: int, app: App | None = None) -> None:
    """So many minutes of timers: a round, and what it sends."""
    for _ in range(count):
        world.time += MINUTE
        (app or world.app).watch.run()
        deliver(app or world.app)


def deliveries(app: App) -> list[Delivery]:
    """The oldest first."""
    return [each for _, each in app.notices.listed()][::-1]


def kinds(sender: FakeSender) -> list[Kind]:
    return [notice.kind for _, notice in sender.sent]
