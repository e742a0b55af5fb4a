"""Roles: what each may do, and how they are granted."""

import pytest

from groundswell.access.permissions import PERMISSIONS, check, is_open
from groundswell.access.principal import ForbiddenError, Principal, Role, granted


def principal(*roles: Role, teams: tuple[str, ...] = ()) -> Principal:
    return Principal(id="token:1", name="ann", roles=frozenset(roles), teams=frozenset(teams))


@pytest.mark.parametrize(
    ("role", "may"),
    [
        (Role.READER, {Role.READER}),
        (Role.REGISTRAR, {Role.READER, Role.REGISTRAR}),
        (Role.OPERATOR, {Role.READER, Role.OPERATOR}),
        (Role.ADMIN, set(Role)),
    ],
)
def test_what_a_role_may(role: Role, may: set[Role]) -> None:
    assert {each for each in Role if principal(role).has(each)} == may


def test_without_a_role_nothing_may_be_done() -> None:
    assert not any(principal().has(role) for role in Role)


def test_whose_images_a_principal_answers_for() -> None:
    assert principal(Role.REGISTRAR, teams=("shop",)).answers_for("shop")
    assert not principal(Role.REGISTRAR, teams=("shop",)).answers_for("bank")
    assert not principal(Role.REGISTRAR, teams=("shop",)).answers_for("")
    assert not principal(Role.REGISTRAR, teams=("",)).answers_for("")
    assert not principal(Role.OPERATOR, teams=("shop",)).answers_for("shop")
    assert principal(Role.ADMIN).answers_for("")


def test_the_name_alone_is_not_who_it_is() -> None:
    assert principal(Role.READER).who == "ann (token:1)"


def test_roles_are_read_from_texts() -> None:
    given = ("operator", "Reader", "registrar:shop", "registrar:bank", "admin:shop", "owner", "", ":", "reader:x")
    assert granted(given) == ({Role.OPERATOR, Role.READER, Role.REGISTRAR}, {"shop", "bank"})
    assert granted(["registrar"]) == ({Role.REGISTRAR}, frozenset())


def test_what_is_not_in_the_table_nobody_may() -> None:
    with pytest.raises(ForbiddenError, match="nobody"):
        check(principal(Role.ADMIN), "unheard_of")
    assert not is_open("unheard_of")
    assert [name for name in PERMISSIONS if is_open(name)] == ["show_health", "show_login"]


def test_who_may_not_is_told_what_it_takes() -> None:
    with pytest.raises(ForbiddenError, match="needs the role operator; ann has: reader"):
        check(principal(Role.READER), "replay")
    with pytest.raises(ForbiddenError, match="ann has: none"):
        check(principal(), "list_images")
    check(principal(Role.OPERATOR), "replay")
