"""Look-alikes of the REST APIs of GitHub and of Azure DevOps, over real repositories on disk.

Shapes and statuses are those of GitHub's documentation ("Repository contents", "Git references", "Pulls") and of
Microsoft's for Azure DevOps 7.1 ("Items", "Refs", "Pushes", "Pull Requests"), and of their error messages as people
report them: a stale blob is 409 "does not match", a branch that is there 422, a stale push 409 TF401028.
"""

from base64 import b64decode, encodebytes
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jwt
from aiohttp import web

from groundswell.deploy.git.forge import State
from tests.support.git_repository import Repository, StaleError

TOKEN = "a-secret-token"


@dataclass(slots=True, kw_only=True)
class Proposal:
    number: int
    head: str
    into: str
    title: str
    body: str
    state: State = State.OPEN


@dataclass(slots=True, kw_only=True)
class GitHost:
    """What both have in common. `meddle` is called before the next write, as somebody else would come between."""

    repository: Repository
    accepts: Callable[[str], bool]
    """The Authorization header."""
    proposals: list[Proposal] = field(default_factory=list)
    meddle: Callable[[], object] | None = None
    protected: bool = False
    answer: tuple[int, dict[str, str], bytes] | None = None
    """Given to every request instead, once it is set."""
    asked: list[tuple[str, str]] = field(default_factory=list)
    apps: "Apps | None" = None

    def proposed(self, state: State) -> list[Proposal]:
        return [each for each in self.proposals if each.state is state]

    def merge(self, proposal: Proposal) -> None:
        self.repository.merge(proposal.head, proposal.into)
        proposal.state = State.MERGED

    def _propose(self, head: str, into: str, title: str, body: str) -> Proposal:
        made = Proposal(number=len(self.proposals) + 1, head=head, into=into, title=title, body=body)
        self.proposals.append(made)
        return made

    def _open(self, head: str, into: str) -> bool:
        return any(each.head == head and each.into == into for each in self.proposed(State.OPEN))

    def _meddled(self) -> None:
        meddle, self.meddle = self.meddle, None
        if meddle is not None:
            meddle()

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._check])
        app.add_routes(self._routes())
        return app

    def _routes(self) -> list[web.RouteDef]:
        raise NotImplementedError

    def _unknown(self) -> web.Response:
        raise NotImplementedError

    @web.middleware
    async def _check(self, request: web.Request, handler: Callable[[web.Request], Any]) -> web.StreamResponse:
        if self.apps is not None and request.path.startswith("/app/"):
            return await self.apps.give(request)
        self.asked.append((request.method, request.path))
        if self.answer is not None:
            status, headers, body = self.answer
            return web.Response(status=status, headers=headers, body=body)
        if not self.accepts(request.headers.get("Authorization", "")):
            return self._unknown()
        if request.method in ("POST", "PUT", "PATCH"):
            self._meddled()
        found: web.StreamResponse = await handler(request)
        return found


def _say(status: int, message: str, **more: Any) -> web.Response:
    return web.json_response({"message": message, **more}, status=status)


@dataclass(slots=True, kw_only=True)
class GitHub(GitHost):
    name: str = "contoso/fleet"

    def _unknown(self) -> web.Response:
        return _say(401, "Bad credentials")

    def _routes(self) -> list[web.RouteDef]:
        base = f"/repos/{self.name}"
        return [
            web.get(f"{base}/contents/{{path:.+}}", self._read),
            web.put(f"{base}/contents/{{path:.+}}", self._write),
            web.get(f"{base}/git/ref/heads/{{branch:.+}}", self._ref),
            web.post(f"{base}/git/refs", self._make),
            web.patch(f"{base}/git/refs/heads/{{branch:.+}}", self._move),
            web.get(f"{base}/pulls", self._pulls),
            web.post(f"{base}/pulls", self._pull),
            web.patch(f"{base}/pulls/{{number}}", self._change),
        ]

    def _found(self, branch: str, path: str) -> tuple[str, str] | None:
        tip = self.repository.tip(branch)
        return self.repository.blob(tip, path) if tip else None

    async def _read(self, request: web.Request) -> web.Response:
        path = request.match_info["path"]
        found = self._found(request.query["ref"], path)
        if found is None:
            return _say(404, "Not Found")
        mode, blob = found
        if mode == "040000":
            return web.json_response([{"type": "file", "name": "x"}])
        data = self.repository.git("cat-file", "blob", blob)
        content = encodebytes(data).decode()
        kind = {"type": "file", "encoding": "base64", "size": len(data), "path": path}
        return web.json_response({**kind, "content": content, "sha": blob})

    async def _write(self, request: web.Request) -> web.Response:
        body, path = await request.json(), request.match_info["path"]
        if self.protected and body["branch"] == "main":
            return _say(409, "Repository rule violations found\n\nChanges must be made through a pull request.")
        found = self._found(body["branch"], path)
        if found is None or "sha" not in body:
            return _say(422, 'Invalid request.\n\n"sha" wasn\'t supplied.')
        if found[1] != body["sha"]:
            return _say(409, f"{path} does not match {body['sha']}")
        commit = self.repository.write(body["branch"], {path: b64decode(body["content"])}, body["message"])
        return web.json_response({"commit": {"sha": commit}})

    async def _ref(self, request: web.Request) -> web.Response:
        branch = request.match_info["branch"]
        tip = self.repository.tip(branch)
        if tip is None:
            return _say(404, "Not Found")
        return web.json_response({"ref": f"refs/heads/{branch}", "object": {"type": "commit", "sha": tip}})

    async def _make(self, request: web.Request) -> web.Response:
        body = await request.json()
        branch = body["ref"].removeprefix("refs/heads/")
        if self.protected:
            return _say(422, "Repository rule violations found")
        if self.repository.tip(branch):
            return _say(422, "Reference already exists")
        self.repository.point(branch, body["sha"])
        return web.json_response({"ref": body["ref"]}, status=201)

    async def _move(self, request: web.Request) -> web.Response:
        body = await request.json()
        assert body["force"] is True
        branch = request.match_info["branch"]
        self.repository.point(branch, body["sha"])
        for each in self.proposed(State.OPEN):  # as GitHub does with one that has nothing left
            if each.head == branch and self.repository.ahead(branch, each.into) == 0:
                each.state = State.CLOSED
        return web.json_response({})

    async def _pulls(self, request: web.Request) -> web.Response:
        query = request.query
        assert query["state"] == "all"
        found = [
            self._shown(each)
            for each in reversed(self.proposals)
            if each.into == query["base"] and query["head"] == f"{self.name.partition('/')[0]}:{each.head}"
        ]
        return web.json_response(found[: int(query["per_page"])])

    async def _pull(self, request: web.Request) -> web.Response:
        body = await request.json()
        head, into = body["head"], body["base"]
        if self._open(head, into):
            message = f"A pull request already exists for contoso:{head}."
            return _say(422, "Validation Failed", errors=[{"resource": "PullRequest", "message": message}])
        if self.repository.ahead(head, into) == 0:
            message = f"No commits between {into} and {head}"
            return _say(422, "Validation Failed", errors=[{"resource": "PullRequest", "message": message}])
        return web.json_response(self._shown(self._propose(head, into, body["title"], body["body"])), status=201)

    async def _change(self, request: web.Request) -> web.Response:
        proposal, body = self.proposals[int(request.match_info["number"]) - 1], await request.json()
        if body == {"state": "closed"}:
            proposal.state = State.CLOSED
        else:
            proposal.title, proposal.body = body["title"], body["body"]
        return web.json_response(self._shown(proposal))

    def _shown(self, proposal: Proposal) -> dict[str, Any]:
        return {
            "number": proposal.number,
            "state": "open" if proposal.state is State.OPEN else "closed",
            "merged_at": "2026-01-02T03:04:05Z" if proposal.state is State.MERGED else None,
            "head": {"ref": proposal.head, "label": f"contoso:{proposal.head}"},
            "base": {"ref": proposal.into},
            "body": proposal.body or None,
            "html_url": f"https://github.com/{self.name}/pull/{proposal.number}",
        }


@dataclass(slots=True, kw_only=True)
class Apps:
    """Gives tokens to the GitHub App whose public key it has; `token` is the one that it gives next."""

    public_key: str
    app: str
    expires_at: str = ""
    token: str = TOKEN
    asked: int = 0
    answer: Any = None

    async def give(self, request: web.Request) -> web.Response:
        self.asked += 1
        signed = request.headers["Authorization"].removeprefix("Bearer ")
        claims = jwt.decode(
            signed, self.public_key, algorithms=["RS256"], options={"verify_exp": False, "verify_iat": False}
        )
        assert claims["iss"] == self.app
        assert claims["exp"] - claims["iat"] <= 600
        if self.answer is not None:
            return web.json_response(self.answer, status=201)
        return web.json_response({"token": self.token, "expires_at": self.expires_at}, status=201)


@dataclass(slots=True, kw_only=True)
class DevOps(GitHost):
    project: str = "shop floor"
    name: str = "fleet"

    def _unknown(self) -> web.Response:
        page = "<html>Azure DevOps Services | Sign In</html>"
        return web.Response(status=203, text=page, content_type="text/html")

    def _routes(self) -> list[web.RouteDef]:
        base = f"/contoso/{{project}}/_apis/git/repositories/{self.name}"
        return [
            web.get(f"{base}/items", self._read),
            web.get(f"{base}/refs", self._refs),
            web.post(f"{base}/refs", self._point),
            web.post(f"{base}/pushes", self._push),
            web.get(f"{base}/pullrequests", self._pulls),
            web.post(f"{base}/pullrequests", self._pull),
            web.patch(f"{base}/pullrequests/{{number}}", self._change),
        ]

    async def _read(self, request: web.Request) -> web.Response:
        query = request.query
        assert (request.match_info["project"], query["api-version"]) == (self.project, "7.1")
        assert query["versionDescriptor.versionType"] == "commit"
        found = self.repository.blob(query["versionDescriptor.version"], query["path"].lstrip("/"))
        if found is None:
            return _say(404, f"TF401174: The item '{query['path']}' could not be found in the repository")
        return web.Response(
            body=self.repository.git("cat-file", "blob", found[1]), content_type="application/octet-stream"
        )

    async def _refs(self, request: web.Request) -> web.Response:
        begins = request.query["filter"].removeprefix("heads/")
        found = [
            {"name": f"refs/heads/{name}", "objectId": commit}
            for name, commit in self.repository.branches()
            if name.startswith(begins)
        ]
        return web.json_response({"value": found, "count": len(found)})

    async def _point(self, request: web.Request) -> web.Response:
        (update,) = await request.json()
        branch = update["name"].removeprefix("refs/heads/")
        status = "succeeded"
        if self.protected:
            status = "createBranchPermissionRequired"
        elif (self.repository.tip(branch) or "0" * 40) != update["oldObjectId"]:
            status = "staleOldObjectId"
        else:
            self.repository.point(branch, update["newObjectId"])
        result = {**update, "success": status == "succeeded", "updateStatus": status}
        return web.json_response({"value": [result], "count": 1})

    async def _push(self, request: web.Request) -> web.Response:
        body = await request.json()
        (update,), (commit,) = body["refUpdates"], body["commits"]
        branch = update["name"].removeprefix("refs/heads/")
        if self.protected and branch == "main":
            return _say(403, "TF402455: Pushes to this branch are not permitted; you must use a pull request")
        (change,) = commit["changes"]
        assert change["changeType"] == "edit"
        files = {change["item"]["path"].lstrip("/"): b64decode(change["newContent"]["content"])}
        try:
            self.repository.write(branch, files, commit["comment"], former=update["oldObjectId"])
        except StaleError:
            return _say(
                409, f"TF401028: The reference '{update['name']}' has already been updated by another client"
            )
        return web.json_response({"pushId": 1}, status=201)

    async def _pulls(self, request: web.Request) -> web.Response:
        query = request.query
        assert query["searchCriteria.status"] == "all"
        found = [
            self._shown(each)
            for each in reversed(self.proposals)
            if query["searchCriteria.targetRefName"] == f"refs/heads/{each.into}"
            and query["searchCriteria.sourceRefName"] == f"refs/heads/{each.head}"
        ]
        return web.json_response({"value": found[: int(query["$top"])], "count": len(found)})

    async def _pull(self, request: web.Request) -> web.Response:
        body = await request.json()
        head, into = (body[key].removeprefix("refs/heads/") for key in ("sourceRefName", "targetRefName"))
        if self._open(head, into):
            return _say(409, "TF401179: An active pull request for the source and target branch already exists.")
        made = self._propose(head, into, body["title"], body["description"])
        return web.json_response(self._shown(made), status=201)

    async def _change(self, request: web.Request) -> web.Response:
        proposal, body = self.proposals[int(request.match_info["number"]) - 1], await request.json()
        if proposal.state is not State.OPEN:
            return _say(400, "TF401181: The pull request cannot be edited due to its state.")
        if body == {"status": "abandoned"}:
            proposal.state = State.CLOSED
        else:
            proposal.title, proposal.body = body["title"], body["description"]
        return web.json_response(self._shown(proposal))

    def _shown(self, proposal: Proposal) -> dict[str, Any]:
        words = {State.OPEN: "active", State.MERGED: "completed", State.CLOSED: "abandoned"}
        return {
            "pullRequestId": proposal.number,
            "status": words[proposal.state],
            "sourceRefName": f"refs/heads/{proposal.head}",
            "targetRefName": f"refs/heads/{proposal.into}",
            "title": proposal.title,
            "description": proposal.body[:400],  # as lists have it
        }
