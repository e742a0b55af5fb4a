"""Which hosts sources may be at, however a URL is written."""

import pytest

from groundswell.build.git_http import GitRevisions
from groundswell.build.hosts import check_source, refused
from groundswell.build.port import Source
from groundswell.errors import PermanentError

HOSTS = ("github.com", "*.visualstudio.com", "git.contoso.example:8443")


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/a/b.git",
        "HTTPS://GitHub.COM/a/b.git",
        "https://github.com:443/a/b.git",
        "http://github.com:80/a/b.git",
        "https://contoso.visualstudio.com/p/_git/b",
        "https://a.b.visualstudio.com/p/_git/b",
        "https://git.contoso.example:8443/b.git",
        "source/202611300712/context.tar.gz",
    ],
)
def test_taken(url: str) -> None:
    assert refused(url, HOSTS) == ""


@pytest.mark.parametrize(
    "url",
    [
        "https://gitlab.com/a/b.git",
        "https://github.com.evil.example/a/b.git",
        "https://evilgithub.com/a/b.git",
        "https://evil.example/github.com/b.git",
        "https://evil.example/?github.com.git",
        "https://github.com@evil.example/a/b.git",
        "https://evil.example\\@github.com/a/b.git",
        "https://github.com:8443/a/b.git",
        "https://github.com:80/a/b.git",
        "https://github.com./a/b.git",
        "https://gist.github.com/a.git",
        "https://visualstudio.com/p/_git/b",
        "https://.visualstudio.com/p/_git/b",
        "https://evilvisualstudio.com/p/_git/b",
        "https://git.contoso.example/b.git",
        "http://[::1]/b.git",
        "http://[::1/b.git",
        "http://169.254.169.254/b.git",
        "http:/github.com/b.git",
        "http:b.git",
        "file:///srv/b.git",
        "file://github.com/b.git",
        "ssh://github.com/b.git",
        "ext::sh -c id",
    ],
)
def test_refused(url: str) -> None:
    assert "GROUNDSWELL_SOURCE_HOSTS" in refused(url, HOSTS)
    assert refused(url, ()) == ""  # no list: whatever else judges them


def test_the_error_says_where_and_what_to_do() -> None:
    said = (
        r"gitlab.com is none of the hosts in the setting GROUNDSWELL_SOURCE_HOSTS: move the repository, or have "
        r"its host added; now there: \*\.visualstudio\.com, git\.contoso\.example:8443, github\.com"
    )
    with pytest.raises(PermanentError, match=said):
        check_source(Source(location="https://gitlab.com/a.git"), HOSTS)
    assert refused("https://x/a.git", [f"h{number}" for number in range(6)]).endswith("h3, h4 and others")


def test_a_git_server_that_is_not_listed_is_not_even_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("groundswell.build.git_http._within", lambda *_: pytest.fail("asked"))
    with pytest.raises(PermanentError, match=r"^evil\.example is none of the hosts"):
        GitRevisions(hosts=HOSTS).revision(Source(location="https://evil.example/a.git", ref="main"))
