"""Makes layers of one repository known to another of the same registry, without a byte of them moving.

OCI distribution-spec, "Mounting a blob from another repository" (end-11). It takes one token for both repositories:
to push to the one, to pull from the other (distribution, "Token Scope Documentation"). azure-containerregistry asks
for what the registry's challenge names, which may be the target alone, so the token is asked for here (Azure/acr,
docs/AAD-OAuth.md).
"""

from collections.abc import Callable, Collection, Mapping

import requests

from groundswell.errors import PermanentError, TemporaryError, cause
from groundswell.registry import retry_after
from groundswell.registry.inherit import NotRebasableError

type _Auth = Callable[[requests.PreparedRequest], requests.PreparedRequest]

_TIMEOUT = (5, 20)
_DEFAULT_DELAY, _LONGEST_DELAY = 5.0, 600.0


class Sharing:
    """`login` gives the user and the refresh token for a login server (see `login.py`)."""

    def __init__(self, login: Callable[[str], tuple[str, str]]) -> None:
        self._login = login

    def share(self, registry: str, layers: Collection[str], *, source: str, target: str) -> None:
        """Make layers (by digest) of the repository `source` known to `target`; repeating it is harmless.

        Raises NotRebasableError when the registry does not do it, TemporaryError when it does not answer.
        """
        if not layers or source == target:
            return
        with requests.Session() as session:
            # An `auth` of its own in each request, so that no login of a .netrc takes its place.
            sign = _bearer(self._token(session, registry, source, target))
            place = f"https://{registry}/v2/{target}/blobs/uploads/"
            for layer in layers:
                answer = _send(session, place, auth=sign, params={"mount": layer, "from": source})
                if answer.status_code != 201:  # 202: it has begun an upload instead, and forgets it by itself
                    raise NotRebasableError(
                        f"{registry} does not share {layer} of {source} with {target} "
                        f"(it answered {answer.status_code})"
                    )

    def _token(self, session: requests.Session, registry: str, source: str, target: str) -> str:
        form = {
            "grant_type": "refresh_token",
            "service": registry,
            "scope": f"repository:{target}:pull,push repository:{source}:pull",
            "refresh_token": self._login(registry)[1],
        }
        answer = _send(session, f"https://{registry}/oauth2/token", auth=_nobody, data=form)
        try:
            return str(answer.json()["access_token"])
        except (ValueError, KeyError, TypeError) as exc:
            raise PermanentError(f"{registry} answered {answer.status_code} and gave no token") from exc


def _bearer(token: str) -> _Auth:
    def sign(request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {token}"
        return request

    return sign


def _nobody(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _send(
    session: requests.Session,
    url: str,
    *,
    auth: _Auth,
    params: Mapping[str, str] | None = None,
    data: Mapping[str, str] | None = None,
) -> requests.Response:
    """POST; raises TemporaryError for what may pass."""
    try:
        answer = session.post(url, auth=auth, params=params, data=data, timeout=_TIMEOUT, allow_redirects=False)
    except requests.RequestException as exc:
        raise TemporaryError(f"{url}: the registry did not answer ({cause(exc)})") from exc
    if answer.status_code in (408, 429) or answer.status_code >= 500:
        said = answer.headers.get("Retry-After", "")
        delay = retry_after.seconds(said, default=_DEFAULT_DELAY, longest=_LONGEST_DELAY)
        raise TemporaryError(f"{url}: the registry answered {answer.status_code}", delay=delay)
    return answer
