"""The Forge of a repository, as the settings know its host: nothing else is ever asked.

Registrations are other people's input. So only what GROUNDSWELL_GIT names is written to, by host or by a path of it
(the longest that fits), and the address that is called is made from the settings and the checked parts of a name.
"""

import re
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from groundswell import clock as clocks
from groundswell.clock import Clock
from groundswell.deploy.git import tokens
from groundswell.deploy.git.azure_devops import AzureDevOps
from groundswell.deploy.git.forge import Forge
from groundswell.deploy.git.github import GitHub
from groundswell.errors import PermanentError
from groundswell.settings import GitHost

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

_NAME = re.compile(r"(?!\.{1,2}(?:/|\Z))[\w .-]{1,100}")
_GITHUB, _DEVOPS = 2, (1, 2, 3)
"""Parts of a repository's path: owner and name; what stands before `_git`."""


class Hosts:
    """Makes each Forge once. `credential()` gives the identity, for Azure DevOps. Safe to share between threads."""

    def __init__(
        self,
        hosts: Mapping[str, GitHost],
        credential: "Callable[[], TokenCredential]",
        *,
        clock: Clock = clocks.now,
    ) -> None:
        self._hosts = hosts
        self._credential = credential
        self._clock = clock
        self._forges: dict[str, Forge] = {}
        self._apps: dict[str, tokens.AppToken] = {}
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            for forge in self._forges.values():
                forge.close()
            for app in self._apps.values():
                app.close()
            self._forges.clear()
            self._apps.clear()

    def forge(self, repository: str) -> Forge:
        """The Forge of the repository at an https URL. PermanentError when the settings do not know it."""
        with self._lock:
            if repository not in self._forges:
                self._forges[repository] = self._make(repository)
            return self._forges[repository]

    def _make(self, repository: str) -> Forge:
        parts = urlsplit(repository)
        path = parts.path.strip("/").removesuffix(".git").split("/")
        place, host = self._of(f"{parts.netloc.lower()}/{'/'.join(path)}")
        names = [unquote(name) for name in path]
        if not all(_NAME.fullmatch(name) for name in names):
            raise PermanentError(f"{repository} is no name of a repository")
        if host.kind == "github":
            if len(names) != _GITHUB:
                raise PermanentError(f"{repository} must be https://{parts.netloc}/OWNER/NAME")
            usual = "https://api.github.com" if parts.netloc == "github.com" else f"https://{parts.netloc}/api/v3"
            api = host.api or usual
            return GitHub(api, names[0], names[1], self._github(place, host, api))
        before, name = names[:-2], names[-1]
        if names[-2:-1] != ["_git"] or len(before) not in _DEVOPS:
            raise PermanentError(f"{repository} must be https://{parts.netloc}/ORGANIZATION/PROJECT/_git/NAME")
        project = "/".join(before if len(before) > 1 else [*before, name])
        authorise = tokens.basic(host.token) if host.token else tokens.entra(self._credential())
        return AzureDevOps(host.api or f"https://{parts.netloc}", project, name, authorise)

    def _of(self, name: str) -> tuple[str, GitHost]:
        lower = name.lower()
        fits = [place for place in self._hosts if f"{lower}/".startswith(f"{place.lower()}/")]
        if not fits:
            raise PermanentError(
                f"git repository {name} is not below any entry of the setting GROUNDSWELL_GIT, which says where "
                "commits may be made"
            )
        place = max(fits, key=len)
        return place, self._hosts[place]

    def _github(self, place: str, host: GitHost, api: str) -> tokens.Authorise:
        if host.token:
            return tokens.bearer(host.token)
        if place not in self._apps:
            self._apps[place] = tokens.AppToken(api, host.app, host.installation, host.private_key, self._clock)
        return self._apps[place]
