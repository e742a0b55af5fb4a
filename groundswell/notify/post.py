"""Delivers notices: each to each channel by itself, so that none waits for another that does not answer.

A try is claimed before it is made, so that a doubled message makes no second one. Who dies between the sending and
the saving leaves a claim, and after it has run out the notice is sent once more, under the same id: this is the one
case in which a channel gets it twice.
"""

import logging
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Protocol
from uuid import uuid4

from groundswell import audit
from groundswell.cascade import unreadable
from groundswell.channels import Channel, Kind
from groundswell.clock import Clock
from groundswell.errors import ConflictError, InputError, NotFoundError, PermanentError, TemporaryError
from groundswell.notify.box import Box, Stored
from groundswell.notify.decide import new_id, told_at
from groundswell.notify.delivery import Call, Delivery, State, row
from groundswell.notify.notice import Notice
from groundswell.store.port import Store

logger = logging.getLogger(__name__)

NOTICES = "notices"
"""The queue."""
MAX_TRIES = 10
CLAIM = 60.0
"""Seconds for which a try is nobody else's: longer than one takes."""
PATIENCE = 120.0
"""Seconds after which a notice that is due is called again: its message was lost, or the queue is long."""
_FIRST, _FACTOR, _LONGEST = 15.0, 3.0, 4 * 3600.0
_AGAIN = 200
"""Calls that one round repeats."""


class Sends(Protocol):
    def send(self, channel: Channel, notice: Notice, *, at: float) -> None: ...


def backoff(tries: int, asked: float, chance: float) -> float:
    """Seconds before the next try, after `tries`: as long as was asked for, or growing; `chance` from 0 to 1."""
    return max(asked, min(_LONGEST, _FIRST * _FACTOR ** (tries - 1)) * (0.8 + 0.4 * chance))


class Post:
    """`sender` is made when something is to be sent."""

    def __init__(
        self,
        store: Store,
        *,
        box: Box,
        channels: Mapping[str, Channel],
        sender: Callable[[], Sends],
        clock: Clock,
        keep: float,
        chance: random.Random | None = None,
    ) -> None:
        self._store = store
        self._box = box
        self._channels = channels
        self._sender = sender
        self._clock = clock
        self._keep = keep
        self._chance = chance or random.Random()  # noqa: S311  # spreads load, keeps no secret

    # Making.

    def addressed(self, notices: Iterable[Notice]) -> list[Delivery]:
        """Who is told of what."""
        now = self._clock()
        return [
            Delivery(notice=notice, channel=name, due=now, changed_at=now)
            for notice in notices
            for name, channel in self._channels.items()
            if channel.wants(notice.routed_as, notice.teams)
        ]

    def call(self, deliveries: Iterable[Delivery], *, delay: float = 0.0) -> None:
        """Send the messages of deliveries that are stored."""
        for each in deliveries:
            self._store.send(NOTICES, Call(row=each.row, turn=each.turn).to_text(), delay=delay)

    # Handling.

    def handle(self, text: str) -> None:
        """One try. Raises only what another delivery of the same message may mend."""
        try:
            call = Call.from_text(text)
        except PermanentError as exc:
            unreadable.record(self._store, text, what="a notice", why=exc, clock=self._clock)
            return
        stored = self._box.delivery(call.row)
        if stored is None or stored.value.state is not State.WAITING or stored.value.turn != call.turn:
            return  # told, given up, forgotten, or tried by another message
        now, known = self._clock(), stored.value
        if known.claimed > now:
            self._store.send(NOTICES, text, delay=known.claimed - now + 1.0)
            return
        claimed = replace(known, claimed=now + CLAIM)
        try:
            stored = Stored(value=claimed, etag=self._box.save(claimed, stored.etag))
        except ConflictError:
            return  # somebody else is at it, by a message of their own
        self._settle(stored, self._tried(claimed))

    def _tried(self, known: Delivery) -> Delivery:
        now, tries = self._clock(), known.tries + 1
        after = replace(known, tries=tries, turn=known.turn + 1, claimed=0.0, changed_at=now)
        channel = self._channels.get(known.channel)
        if channel is None:
            return replace(after, state=State.DEAD, error="there is no such channel in GROUNDSWELL_NOTIFY any more")
        try:
            self._sender().send(channel, known.notice, at=now)
        except PermanentError as exc:
            return replace(after, state=State.DEAD, error=str(exc))
        except TemporaryError as exc:
            if tries >= MAX_TRIES:
                return replace(after, state=State.DEAD, error=f"given up after {tries} tries: {exc}")
            pause = backoff(tries, exc.delay, self._chance.random())
            return replace(after, due=now + pause, error=str(exc))
        return replace(after, state=State.SENT, error="")

    def _settle(self, stored: Stored[Delivery], after: Delivery) -> None:
        fields = {"notice": after.notice.id, "channel": after.channel, "tries": after.tries, "why": after.error}
        self._box.save(after, stored.etag)
        match after.state:
            case State.SENT:
                logger.info("notice sent", extra=fields)
            case State.DEAD:
                logger.error("notice given up", extra=fields)
            case State.WAITING:
                logger.warning("notice put off", extra=fields)
                self.call([after], delay=after.due - after.changed_at)

    def poisoned(self, text: str) -> None:
        """A message that could not be handled after all its deliveries: its notice is given up, visibly."""
        try:
            call = Call.from_text(text)
        except PermanentError as exc:
            unreadable.record(self._store, text, what="a notice", why=exc, clock=self._clock)
            return
        stored = self._box.delivery(call.row)
        if stored is None or stored.value.state is not State.WAITING or stored.value.turn != call.turn:
            return
        why = "its message failed again and again; see the log, then send it again"
        known = stored.value
        dead = replace(known, state=State.DEAD, turn=known.turn + 1, error=why, changed_at=self._clock())
        self._box.save(dead, stored.etag)
        logger.error("notice given up", extra={"notice": known.notice.id, "channel": known.channel, "why": why})

    def again(self) -> None:
        """Call again what should have been tried by now: its message was lost before it was sent, or on its way."""
        now, called = self._clock(), 0
        for where in self._box.waiting():
            stored = self._box.delivery(where)
            if stored is None:
                continue
            known = stored.value
            if known.state is State.WAITING and max(known.due, known.claimed) + PATIENCE <= now:
                logger.warning("notice called again", extra={"notice": known.notice.id, "channel": known.channel})
                self.call([known])
                called += 1
                if called == _AGAIN:
                    return

    # What people ask for.

    def listed(self, *, after: str = "") -> Iterator[tuple[str, Delivery]]:
        """Deliveries with their rows, the newest notice first."""
        return self._box.deliveries(after=after)

    def find(self, notice: str, channel: str) -> Stored[Delivery]:
        """Raises NotFoundError when there is none (any more)."""
        try:
            stored = self._box.delivery(row(notice, told_at(notice), channel))
        except ValueError:
            stored = None
        if stored is None:
            raise NotFoundError(f"no notice {notice} to {channel}; `groundswell notices list` lists them")
        return stored

    def resend(self, notice: str, channel: str, *, who: str, why: str) -> Delivery:
        """Send again what was given up, or was sent; under the same id.

        Raises NotFoundError, InputError without a reason, or while it is being tried anyhow.
        """
        _reason(why)
        stored = self.find(notice, channel)
        known, now = stored.value, self._clock()
        if known.state is State.WAITING:
            raise InputError(f"notice {notice} is being sent to {channel}: it is tried again by itself")
        if channel not in self._channels:
            raise self._unknown(channel)
        after = replace(known, state=State.WAITING, tries=0, turn=known.turn + 1, due=now, changed_at=now)
        self._audit(
            "resend",
            f"{notice} {channel}",
            who=who,
            why=why,
            before={"state": known.state},
            after={"state": after.state},
        )
        self._box.save(after, stored.etag)
        self.call([after])
        return after

    def test(self, channel: str, *, who: str, why: str) -> Delivery:
        """Tell a channel that somebody tries it. Raises NotFoundError when there is none, InputError unreasoned."""
        _reason(why)
        if channel not in self._channels:
            raise self._unknown(channel)
        now = self._clock()
        notice = Notice(
            id=new_id(now, "test", uuid4().hex),
            kind=Kind.TEST,
            title=f"Groundswell tries the channel {channel}",
            text=f"{who} asked for this notice: {why}. Nothing has happened.",
            at=now,
            since=now,
            subjects=(channel,),
            count=1,
        )
        delivery = Delivery(notice=notice, channel=channel, due=now, changed_at=now)
        self._audit("test", f"channel {channel}", who=who, why=why, before={}, after={"notice": notice.id})
        self._box.save(delivery, None)
        self.call([delivery])
        return delivery

    def forget(self) -> int:
        """Drop notices that are older than they are kept; returns how many deliveries went."""
        return self._box.forget(self._clock() - self._keep) if self._keep else 0

    def _unknown(self, channel: str) -> NotFoundError:
        there = ", ".join(self._channels) or "none"
        return NotFoundError(f"no channel {channel} in GROUNDSWELL_NOTIFY; there is: {there}")

    def _audit(self, action: str, subject: str, **rest: Any) -> None:
        audit.record(
            self._store,
            at=self._clock(),
            action=f"{action} notice",
            subject=subject,
            **rest,
        )


def _reason(why: str) -> None:
    if not why.strip():
        raise InputError("this needs a reason: --reason TEXT")
