"""A repository in Azure Repos: its items, refs, pushes and pull requests APIs (Azure DevOps REST 7.1).

A push is held to the branch's tip (`oldObjectId`): the file is read at a commit, and a commit that came meanwhile
is a conflict, after which it is read again.
"""

from base64 import b64encode
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from groundswell.deploy.git.forge import File, Pull, State, latest
from groundswell.deploy.git.rest import Answer, Rest
from groundswell.deploy.git.tokens import Authorise
from groundswell.errors import ConflictError, NotFoundError, PermanentError, TemporaryError

NEED = "Code (read & write): contribute, create branch, contribute to pull requests"
VERSION = "7.1"
_NOTHING = "0" * 40
_TOP = 100
_STATES = {"active": State.OPEN, "completed": State.MERGED, "abandoned": State.CLOSED}


class AzureDevOps:
    """The Forge for a repository of a project (`ORGANIZATION/PROJECT`). Safe to share between threads."""

    def __init__(self, api: str, project: str, name: str, authorise: Authorise) -> None:
        def headers() -> Mapping[str, str]:
            return {"Authorization": authorise()}

        self._rest = Rest(api, headers, NEED)
        self._name = f"{project}/{name}"
        self._url = f"{api.rstrip('/')}/{quote(project)}/_git/{quote(name, safe='')}"
        self._path = f"/{quote(project)}/_apis/git/repositories/{quote(name, safe='')}"

    def close(self) -> None:
        """Close the connections."""
        self._rest.close()

    def read(self, branch: str, path: str) -> File:
        subject = f"{self._name}, reading {path} on {branch}"
        commit = self.tip(branch)
        if commit is None:
            raise NotFoundError(f"{subject}: there is no such branch")
        query = {
            "path": f"/{path}",
            "versionDescriptor.versionType": "commit",
            "versionDescriptor.version": commit,
        }
        answer = self._send("GET", "/items", subject, query=query, accept="application/octet-stream")
        try:
            return File(text=answer.body.decode(), version=commit)
        except UnicodeDecodeError as exc:
            raise PermanentError(f"{subject}: it is no text in UTF-8") from exc

    def commit(self, branch: str, path: str, text: str, former: File, message: str) -> None:
        change = {
            "changeType": "edit",
            "item": {"path": f"/{path}"},
            "newContent": {"content": b64encode(text.encode()).decode(), "contentType": "base64encoded"},
        }
        body = {
            "refUpdates": [{"name": f"refs/heads/{branch}", "oldObjectId": former.version}],
            "commits": [{"comment": message, "changes": [change]}],
        }
        self._send("POST", "/pushes", f"{self._name}, committing {path} to {branch}", body=body)

    def tip(self, branch: str) -> str | None:
        subject = f"{self._name}, looking for branch {branch}"
        # The filter is the beginning of a name, so others may be found as well: after it, for they are sorted.
        query = {"filter": f"heads/{branch}", "$top": _TOP}
        items = _values(self._send("GET", "/refs", subject, query=query).json(), subject)
        found = [item.get("objectId") for item in items if item.get("name") == f"refs/heads/{branch}"]
        return str(found[0]) if found else None

    def point(self, branch: str, commit: str, former: str | None) -> None:
        subject = f"{self._name}, pointing branch {branch} to {commit}"
        update = {"name": f"refs/heads/{branch}", "oldObjectId": former or _NOTHING, "newObjectId": commit}
        for result in _values(self._send("POST", "/refs", subject, body=[update]).json(), subject):
            status = str(result.get("updateStatus"))
            if result.get("success") is True:
                continue
            if status == "staleOldObjectId":
                raise ConflictError(f"{subject}: somebody made or moved it meanwhile")
            raise PermanentError(f"{subject}: refused ({status[:100]}); the token must be allowed: {NEED}")

    def pull(self, head: str, into: str) -> Pull | None:
        subject = f"{self._name}, looking for a pull request from {head} into {into}"
        query = {
            "searchCriteria.sourceRefName": f"refs/heads/{head}",
            "searchCriteria.targetRefName": f"refs/heads/{into}",
            "searchCriteria.status": "all",
            "$top": _TOP,
        }
        items = _values(self._send("GET", "/pullrequests", subject, query=query).json(), subject)
        return latest(self._pull(item, subject) for item in items)

    def propose(self, head: str, into: str, title: str, body: str) -> Pull:
        subject = f"{self._name}, opening a pull request from {head} into {into}"
        content = {
            "sourceRefName": f"refs/heads/{head}",
            "targetRefName": f"refs/heads/{into}",
            "title": title,
            "description": body,
        }
        return self._pull(self._send("POST", "/pullrequests", subject, body=content).json(), subject)

    def amend(self, pull: Pull, title: str, body: str) -> None:
        subject = f"{self._name}, changing pull request {pull.number}"
        self._send("PATCH", f"/pullrequests/{pull.number}", subject, body={"title": title, "description": body})

    def close_pull(self, pull: Pull) -> None:
        subject = f"{self._name}, abandoning pull request {pull.number}"
        self._send("PATCH", f"/pullrequests/{pull.number}", subject, body={"status": "abandoned"})

    def _pull(self, item: Any, subject: str) -> Pull:
        try:
            return Pull(
                number=int(item["pullRequestId"]),
                state=_STATES[item["status"]],
                head=str(item["sourceRefName"]).removeprefix("refs/heads/"),
                body=str(item.get("description") or ""),
                url=f"{self._url}/pullrequest/{int(item['pullRequestId'])}",
            )
        except (LookupError, TypeError, ValueError) as exc:
            raise TemporaryError(f"{subject}: the answer holds no pull request") from exc

    def _send(self, method: str, path: str, subject: str, **options: Any) -> Answer:
        query = {**options.pop("query", {}), "api-version": VERSION}
        return self._rest.send(method, self._path + path, subject=subject, query=query, **options)


def _values(found: Any, subject: str) -> list[dict[str, Any]]:
    items = found.get("value") if isinstance(found, dict) else None
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise TemporaryError(f"{subject}: the answer is no list")
    return items
