"""A repository on GitHub, or on GitHub Enterprise Server: its contents, refs and pulls APIs.

A commit by the contents API is held to the blob that was read, not to the branch's tip: others may change other
files meanwhile. GitHub signs it where the token is an app's. Shapes: "REST API endpoints for repository contents",
"Git references" and "Pulls" in GitHub's documentation.
"""

import binascii
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from groundswell.deploy.git.forge import File, Pull, State, latest
from groundswell.deploy.git.rest import Answer, Rest, message
from groundswell.deploy.git.tokens import Authorise
from groundswell.errors import ConflictError, PermanentError, TemporaryError

NEED = "contents: write and pull requests: write on the repository"
_PER_PAGE = 100
_RULES = ("protected branch", "rule violations", "through a pull request")


class GitHub:
    """The Forge for `owner`/`name`. Safe to share between threads."""

    def __init__(self, api: str, owner: str, name: str, authorise: Authorise) -> None:
        def headers() -> Mapping[str, str]:
            return {"Authorization": authorise(), "X-GitHub-Api-Version": "2022-11-28"}

        self._rest = Rest(api, headers, NEED)
        self._owner = owner
        self._name = f"{owner}/{name}"
        self._path = f"/repos/{quote(owner, safe='')}/{quote(name, safe='')}"

    def close(self) -> None:
        """Close the connections."""
        self._rest.close()

    def read(self, branch: str, path: str) -> File:
        """See `Forge.read`; GitHub gives the contents of a file of 1 MB at most."""
        subject = f"{self._name}, reading {path} on {branch}"
        found = _object(self._send("GET", f"/contents/{quote(path)}", subject, query={"ref": branch}))
        if found.get("type") != "file" or found.get("encoding") != "base64":
            raise PermanentError(f"{subject}: it is no file of at most 1 MB")
        try:
            text = b64decode(str(found["content"])).decode()
            return File(text=text, version=str(found["sha"]))
        except (binascii.Error, UnicodeDecodeError, LookupError) as exc:
            raise PermanentError(f"{subject}: it is no text in UTF-8") from exc

    def commit(self, branch: str, path: str, text: str, former: File, message: str) -> None:
        body = {
            "message": message,
            "content": b64encode(text.encode()).decode(),
            "sha": former.version,
            "branch": branch,
        }
        subject = f"{self._name}, committing {path} to {branch}"
        try:
            self._send("PUT", f"/contents/{quote(path)}", subject, body=body)
        except ConflictError as exc:
            if any(words in str(exc).lower() for words in _RULES):
                raise PermanentError(f"{exc}; say `pull_request: true` in the registration") from exc
            raise

    def tip(self, branch: str) -> str | None:
        subject = f"{self._name}, looking for branch {branch}"
        answer = self._send("GET", f"/git/ref/heads/{quote(branch)}", subject, expected=(200, 404))
        if answer.status == 404:
            return None
        pointed = _object(answer).get("object")
        if not isinstance(pointed, dict) or not isinstance(pointed.get("sha"), str):
            raise TemporaryError(f"{subject}: the answer names no commit")
        return str(pointed["sha"])

    def point(self, branch: str, commit: str, former: str | None) -> None:
        subject = f"{self._name}, pointing branch {branch} to {commit}"
        if former is not None:
            self._send("PATCH", f"/git/refs/heads/{quote(branch)}", subject, body={"sha": commit, "force": True})
            return
        body = {"ref": f"refs/heads/{branch}", "sha": commit}
        answer = self._send("POST", "/git/refs", subject, body=body, expected=(201, 422))
        if answer.status == 422:
            if self.tip(branch) is None:
                raise PermanentError(f"{subject}: refused; see whether a rule keeps such branches from being made")
            raise ConflictError(f"{subject}: somebody made it meanwhile")

    def pull(self, head: str, into: str) -> Pull | None:
        subject = f"{self._name}, looking for a pull request from {head} into {into}"
        query = {"head": f"{self._owner}:{head}", "base": into, "state": "all", "per_page": _PER_PAGE}
        items = self._send("GET", "/pulls", subject, query=query).json()
        if not isinstance(items, list):
            raise TemporaryError(f"{subject}: the answer is no list")
        return latest(_pull(item, subject) for item in items)

    def propose(self, head: str, into: str, title: str, body: str) -> Pull:
        subject = f"{self._name}, opening a pull request from {head} into {into}"
        content = {"title": title, "head": head, "base": into, "body": body, "maintainer_can_modify": False}
        answer = self._send("POST", "/pulls", subject, body=content, expected=(201, 422))
        if answer.status == 201:
            return _pull(answer.json(), subject)
        found = self.pull(head, into)
        if found is not None and found.state is State.OPEN:
            return found
        raise PermanentError(f"{subject}: refused{message(answer.body)}")

    def amend(self, pull: Pull, title: str, body: str) -> None:
        subject = f"{self._name}, changing pull request #{pull.number}"
        self._send("PATCH", f"/pulls/{pull.number}", subject, body={"title": title, "body": body})

    def close_pull(self, pull: Pull) -> None:
        subject = f"{self._name}, closing pull request #{pull.number}"
        self._send("PATCH", f"/pulls/{pull.number}", subject, body={"state": "closed"})

    def _send(self, method: str, path: str, subject: str, **options: Any) -> Answer:
        return self._rest.send(method, self._path + path, subject=subject, **options)


def _object(answer: Answer) -> dict[str, Any]:
    found = answer.json()
    if not isinstance(found, dict):
        raise PermanentError(f"{answer.subject}: it is no file but a folder")
    return found


def _pull(item: Any, subject: str) -> Pull:
    try:
        state = State.OPEN if item["state"] == "open" else State.MERGED if item["merged_at"] else State.CLOSED
        return Pull(
            number=int(item["number"]),
            state=state,
            head=str(item["head"]["ref"]),
            body=str(item["body"] or ""),
            url=str(item["html_url"]),
        )
    except (LookupError, TypeError, ValueError) as exc:
        raise TemporaryError(f"{subject}: the answer holds no pull request") from exc
