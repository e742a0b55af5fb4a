"""Whom an Azure token is shown to.

References come from other people's Dockerfiles, and logging in to a registry hands it a token of ours. So that is
done only with the registries that the settings name, and with Azure's own.
"""

from collections.abc import Callable, Collection

from groundswell.errors import PermanentError

type Trust = Callable[[str], None]
"""Takes a login server; raises PermanentError when it must not see a token."""

_AZURE = (".azurecr.io", ".azurecr.cn", ".azurecr.us")
"""Azure's clouds. The dot belongs to it: anybody may own a name that merely ends alike."""


def ours(host: str, named: Collection[str]) -> bool:
    """Whether a login server is one of those `named`, or Azure's."""
    return host in named or host.endswith(_AZURE)


def trust(named: Collection[str]) -> Trust:
    """Trusts the login servers `named`, and Azure's."""

    def check(host: str) -> None:
        if not ours(host, named):
            raise PermanentError(
                f"{host} is not asked: it is no Azure container registry, and no token of ours is shown to others; "
                "if it is yours, name it in GROUNDSWELL_REGISTRIES"
            )

    return check
