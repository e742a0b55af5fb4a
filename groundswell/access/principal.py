"""Who asks, and what that one may do.

Reading is everybody's who has any role. Beyond that each role stands for itself: an operator acts on cascades and
registers nothing, a registrar registers images of the own teams and acts on nothing, an admin does everything.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from groundswell.errors import PermanentError, TemporaryError


class Role(StrEnum):
    READER = "reader"
    REGISTRAR = "registrar"
    OPERATOR = "operator"
    ADMIN = "admin"


class UnauthenticatedError(PermanentError):
    """Nobody knows who asks."""


class ForbiddenError(PermanentError):
    """It is known who asks, and that one may not."""


class ThrottledError(TemporaryError):
    """Somebody asks too often; `delay` is when the next request is taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """A person or a machine. `id` names it for ever, `name` is what people read and may change.

    `teams` are those whose images a registrar may register; an admin needs none.
    """

    id: str
    name: str
    roles: frozenset[Role]
    teams: frozenset[str] = frozenset()

    @property
    def who(self) -> str:
        """For history and audit trail: a name alone may be anybody's."""
        return f"{self.name} ({self.id})"

    def has(self, role: Role) -> bool:
        """Whether what `role` may do is allowed."""
        if role is Role.READER:
            return bool(self.roles)
        return role in self.roles or Role.ADMIN in self.roles

    def answers_for(self, owner: str) -> bool:
        """Whether images of the team `owner` may be registered; those of no team are an admin's."""
        return Role.ADMIN in self.roles or (Role.REGISTRAR in self.roles and bool(owner) and owner in self.teams)


def granted(values: Iterable[str]) -> tuple[frozenset[Role], frozenset[str]]:
    """The roles and teams in texts such as `operator` and `registrar:shop`; others mean nothing to us.

    So app roles are called in Entra ID, whose values hold no blanks.
    """
    roles: set[Role] = set()
    teams: set[str] = set()
    for value in values:
        word, _, team = value.partition(":")
        role = next((role for role in Role if role.value == word.lower()), None)
        if role is None or (team and role is not Role.REGISTRAR):
            continue
        roles.add(role)
        teams |= {team} if team else set()
    return frozenset(roles), frozenset(teams)
