"""Which notices follow: by tables, and by laws over whatever comes in whatever order."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundswell.channels import Kind
from groundswell.notify.decide import OLD, TOGETHER, Rules, new_id, plan, told_at
from groundswell.notify.notice import Notice, Seen, State, Topic

START = 1_800_000_000.0
RULES = Rules(delay=120.0, window=3600.0)
S, U, E, G = State.STANDS, State.UNSURE, State.OVER, State.GONE


def seen(
    state: State = S,
    *,
    image: str = "web",
    kind: Kind = Kind.FAILED,
    at: float = 0.0,
    cascade: str = "a",
    **rest: str,
) -> Seen:
    return Seen(
        key=f"image {image}",
        kind=kind,
        state=state,
        subject=image,
        cascade=cascade,
        at=START + at,
        **{"mark": f"{cascade} {at}", "cause": "broken", "title": f"{image} failed", "text": "why", **rest},  # type: ignore[arg-type]  # texts
    )


@dataclass
class Rounds:
    """Rounds as the edge makes them: what one decides is what the next one knows."""

    topics: dict[str, Topic] = field(default_factory=dict)
    told: list[Notice] = field(default_factory=list)

    def look(self, after: float, *looks: Seen, oldest: str = "") -> list[str]:
        """One round; what was told, in a few words."""
        notices: list[Notice] = []
        for batch in plan(self.topics, looks, now=START + after, rules=RULES, oldest=oldest):
            assert len(batch.topics) + len(batch.forgotten) <= TOGETHER
            assert batch.topics or batch.forgotten
            self.topics.update({topic.key: topic for topic in batch.topics})
            for key in batch.forgotten:
                del self.topics[key]
            notices += batch.notices
        self.told += notices
        return [f"{'healed ' if each.heals else ''}{' '.join(each.subjects)}" for each in notices]


@pytest.mark.parametrize(
    ("rounds", "told"),
    [
        pytest.param([(10, [seen()]), (119, [seen()]), (120, [seen()])], {120: ["web"]}, id="it stands"),
        pytest.param([(10, [seen()]), (90, [seen(E)]), (600, [])], {}, id="healed by itself"),
        pytest.param([(10, [seen()]), (90, [seen(U)]), (600, [seen(U)])], {}, id="tried again meanwhile"),
        pytest.param([(500, [seen()])], {500: ["web"]}, id="seen late"),
        pytest.param([(500, [seen()]), (560, [seen()]), (9000, [seen()])], {500: ["web"]}, id="told once"),
        pytest.param(
            [(500, [seen()]), (560, [seen(E)]), (620, [seen(E)])],
            {500: ["web"], 560: ["healed web"]},
            id="healed once",
        ),
        pytest.param(
            [(500, [seen()]), (560, [seen(U)]), (620, [seen(U)]), (680, [seen(E)])],
            {500: ["web"], 680: ["healed web"]},
            id="healed after another try",
        ),
        pytest.param(
            [
                (500, [seen()]),
                (560, [seen(E)]),
                (700, [seen(at=650)]),
                (900, [seen(at=650)]),
                (960, [seen(E)]),
                (2000, [seen(at=1900)]),
                (2100, [seen(at=1900)]),
                (4100, [seen(at=1900)]),
                (4160, [seen(E)]),
            ],
            {500: ["web"], 560: ["healed web"], 4100: ["web"], 4160: ["healed web"]},
            id="flapping is told once a window",
        ),
        pytest.param(
            [(500, [seen()]), (4200, [seen(at=4000, cascade="b")])],
            {500: ["web"], 4200: ["web"]},
            id="fails anew later",
        ),
        pytest.param(
            [(500, [seen()]), (560, [seen(E, cascade="b")]), (620, [seen()]), (9000, [seen()])],
            {500: ["web"], 560: ["healed web"]},
            id="an older cascade has no say",
        ),
        pytest.param([(9, [seen(), seen(E, cascade="b")]), (700, [seen()])], {}, id="nor before anything was told"),
        pytest.param(
            [(10, [seen(), seen(U, cascade="b")]), (200, [seen(), seen(U, cascade="b")])],
            {200: ["web"]},
            id="what is under way elsewhere has not healed it",
        ),
        pytest.param([(500, [seen()]), (560, [seen(G)]), (700, [])], {500: ["web"]}, id="its cascade is gone"),
        pytest.param([(0, [seen(kind=Kind.REFUSED)])], {0: ["web"]}, id="what runs is told at once"),
        pytest.param(
            [(0, [seen(kind=Kind.DRIFT)]), (9, [seen(E, kind=Kind.DRIFT)])],
            {0: ["web"], 9: ["healed web"]},
            id="drift",
        ),
        pytest.param(
            [(200, [seen(kind=Kind.APPROVAL)]), (260, [seen(E, kind=Kind.APPROVAL)])], {200: ["web"]}, id="approved"
        ),
        pytest.param(
            [(200, [seen(kind=Kind.APPROVAL)]), (420, [seen(kind=Kind.APPROVAL, at=300)])],
            {200: ["web"], 420: ["web"]},
            id="the next ring's approval does not wait for the window",
        ),
        pytest.param(
            [(10, [seen(U, kind=Kind.ENDED)]), *((at, [seen(kind=Kind.ENDED, at=100)]) for at in (300, 900))],
            {300: ["web"]},
            id="a cascade ends",
        ),
        pytest.param(
            [
                (300, [seen(kind=Kind.ENDED)]),
                (OLD + 5000, [seen(kind=Kind.ENDED, at=OLD + 4990)]),
                (OLD + 5200, []),
            ],
            {300: ["web"], OLD + 5200: ["web"]},
            id="and again, much later",
        ),
        pytest.param([(OLD + 1, [seen(kind=Kind.ENDED)])], {}, id="that it ended long ago is no news"),
    ],
)  # fmt: skip
def test_what_is_told(rounds: Sequence[tuple[float, list[Seen]]], told: Mapping[float, list[str]]) -> None:
    subject = Rounds()
    found = {at: subject.look(at, *looks) for at, looks in rounds}
    assert {at: what for at, what in found.items() if what} == told


def test_one_cause_in_one_cascade_is_one_notice() -> None:
    subject = Rounds()
    many = [seen(image=f"app{number:02}", teams=(f"team{number % 2}",)) for number in range(12)]  # type: ignore[arg-type]  # teams are no text
    other = seen(image="other", cause="something else")
    assert len(subject.look(200, *many, other, seen(image="older", cascade="0"))) == 3
    notice = next(each for each in subject.told if each.count == 12)
    assert notice.title == "app00 failed, and 11 more for the same cause"
    assert notice.subjects == tuple(f"app{number:02}" for number in range(10))
    assert notice.teams == ("team0", "team1")
    assert "app09 and 2 more" in notice.text
    # Who joins later waits for the window of the group, and is told then.
    late = [*many, seen(image="late", at=300)]
    assert subject.look(500, *late) == []
    assert subject.look(3800, *late) == ["late"]
    # Those who heal together are told together, and only once.
    over = [replace(each, state=E) for each in many]
    assert len(subject.look(3860, *over)) == 1
    assert subject.told[-1].count == 12
    assert subject.told[-1].heals == notice.id
    assert subject.look(3920, *over) == []


def test_more_than_fit_into_one_commit_are_several_notices() -> None:
    subject = Rounds()
    assert len(subject.look(200, *(seen(image=f"app{number:03}") for number in range(TOGETHER * 2 + 1)))) == 3
    assert sum(each.count for each in subject.told) == TOGETHER * 2 + 1


def test_what_is_past_is_forgotten_when_nobody_could_tell_it_again() -> None:
    subject = Rounds()
    subject.look(500, seen())
    subject.look(560, seen(E, cascade="b"))
    subject.look(9000, oldest="a")  # cascade a may still say that it failed
    assert subject.topics
    subject.look(9000, oldest="c")
    assert not subject.topics
    subject.look(10, seen(kind=Kind.ENDED))
    subject.look(500, seen(kind=Kind.ENDED))
    assert subject.topics
    subject.look(OLD + 5000)
    assert not subject.topics


def test_ids() -> None:
    assert new_id(START, "a", "b") == new_id(START, "a", "b") != new_id(START, "ab")
    assert told_at(new_id(START + 0.25, "a")) == START + 0.25
    for wrong in ("", "x" * 26, "n" + "9" * 12, new_id(START, "a") + "0"):
        with pytest.raises(ValueError, match=wrong or "^$"):
            told_at(wrong)


# Laws.


@dataclass
class Matter:
    """What really happens to one image, told by nothing but its history: (from when, how it is)."""

    moments: list[tuple[float, State]]

    def at(self, now: float) -> tuple[float, State]:
        return [moment for moment in self.moments if moment[0] <= now][-1]


lives = st.lists(st.tuples(st.floats(1.0, 5000.0), st.sampled_from([S, U, E])), min_size=1, max_size=12)
steps = st.lists(st.floats(20.0, 200.0), min_size=1, max_size=200)


def matter(life: Iterable[tuple[float, State]]) -> Matter:
    at, moments = 0.0, [(0.0, U)]
    for pause, state in life:
        at += round(pause, 3)
        moments.append((at, state))
    return Matter(moments)


@given(st.lists(lives, min_size=1, max_size=4), steps, st.booleans())
@settings(max_examples=150, deadline=None)
def test_nothing_is_lost_and_nothing_is_told_twice(
    several: list[list[tuple[float, State]]], pauses: list[float], one_cause: bool
) -> None:
    matters = {f"m{number}": matter(life) for number, life in enumerate(several)}
    subject = Rounds()
    told: dict[str, list[float]] = {name: [] for name in matters}
    healed: dict[str, list[float]] = {name: [] for name in matters}
    stood: dict[str, float] = {}

    def one_round(now: float) -> None:
        looks = []
        for name, each in matters.items():
            since, state = each.at(now)
            cause = "the same" if one_cause else name
            looks.append(seen(state, image=name, at=since, cause=cause))
        before = len(subject.told)
        subject.look(now, *looks)
        for notice in subject.told[before:]:
            for name in notice.subjects:
                since, state = matters[name].at(now)
                if notice.heals:
                    healed[name].append(now)
                    assert state is E
                else:
                    told[name].append(now)
                    assert state is S
                    assert now - since >= RULES.delay or stood.get(name, since) <= now - RULES.delay
        for name, each in matters.items():
            since, state = each.at(now)
            stood[name] = since if state is S else stood.get(name, since)

    now = 0.0
    for pause in pauses:
        now += round(pause, 3)
        one_round(now)
    for more in (RULES.delay, RULES.window, RULES.window, 1.0):  # then it stays as it is
        now = max(now, *(each.moments[-1][0] for each in matters.values())) + more
        one_round(now)
    for name, each in matters.items():
        _, state = each.at(now)
        between = [later - earlier for earlier, later in pairwise(told[name])]
        assert all(pause >= RULES.window for pause in between)
        assert len(healed[name]) <= len(told[name])
        for end in healed[name]:
            assert any(begin < end for begin in told[name])
        if state is S:
            assert told[name]
            assert not healed[name] or healed[name][-1] < told[name][-1]
        if state is E and told[name]:
            assert healed[name]
            assert healed[name][-1] > told[name][-1]
        assert len(set(healed[name])) == len(healed[name])


@given(st.permutations([seen(), seen(E, cascade="b"), seen(U, cascade="c"), seen(at=50, cascade="d")]))
def test_the_order_of_looks_says_nothing(looks: list[Seen]) -> None:
    subject = Rounds()
    subject.look(500, *looks)
    assert [topic.seen.cascade for topic in subject.topics.values()] == ["d"]
    assert [each.cascade for each in subject.told] == ["d"]
