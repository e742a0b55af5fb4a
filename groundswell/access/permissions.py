"""Which role each operation of the API needs: the one table. What is not in it nobody may do."""

from collections.abc import Mapping

from groundswell.access.principal import ForbiddenError, Principal, Role

_R, _W, _O, _A = Role.READER, Role.REGISTRAR, Role.OPERATOR, Role.ADMIN

PERMISSIONS: Mapping[str, Role | None] = {
    "show_health": None,  # anybody's
    "show_login": None,
    "show_me": _R,
    "show_doctor": _O,
    "list_images": _R,
    "show_image": _R,
    "show_history": _R,
    "put_image": _W,  # and of the own teams' only: see registering.py
    "delete_image": _W,
    "register_images": _W,
    "unregister_images": _W,
    "show_graph": _R,
    "show_impact": _R,
    "show_stale": _R,
    "discover": _R,
    "list_pushes": _R,
    "report_push": _O,
    "list_cascades": _R,
    "show_cascade": _R,
    "list_rebuilds": _R,
    "show_rebuild": _R,
    "show_log": _R,
    "explain_image": _R,
    "explain_rebuild": _R,
    "compare_rebuild": _R,
    "list_failures": _R,
    "show_statistics": _R,
    "show_run_log": _R,
    "list_alerts": _R,
    "rebuild": _O,
    "list_drift": _R,
    "release_workload": _O,
    "verify": _R,
    "show_key": _R,
    "replay": _O,
    "cancel": _O,
    "hold": _O,
    "release": _O,
    "approve": _O,
    "list_freezes": _R,
    "show_freeze": _R,
    "put_freeze": _O,
    "delete_freeze": _O,
    "show_policy": _R,
    "show_policy_of_image": _R,
    "put_policy": _A,
    "list_audit": _R,
    "list_tokens": _A,
    "create_token": _A,
    "revoke_token": _A,
    "list_notices": _R,
    "resend_notice": _O,
    "test_channel": _O,
}
"""By the name of the operation (its function in groundswell/api)."""


def is_open(operation: str) -> bool:
    """Whether anybody may do it, unknown ones included."""
    return operation in PERMISSIONS and PERMISSIONS[operation] is None


def check(principal: Principal, operation: str) -> None:
    """Raises ForbiddenError unless the principal may do it."""
    role = PERMISSIONS.get(operation)
    if role is None or not principal.has(role):
        has = ", ".join(sorted(principal.roles)) or "none"
        raise ForbiddenError(f"this needs the role {role or 'of nobody'}; {principal.name} has: {has}")
