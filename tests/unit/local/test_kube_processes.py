"""What is said when a real API server is not there, or does not start."""

import contextlib
from pathlib import Path

import pytest

from groundswell.errors import PermanentError
from groundswell.local import clusters
from groundswell.local.certs import certificates
from groundswell.local.kube import binaries as built
from groundswell.local.kube.binaries import Binaries
from groundswell.local.kube.control_plane import MASTERS, ControlPlane, User
from groundswell.local.serve import Servers
from tests.support.processes import alive

ADMIN = User(name="admin", token="admin-token", group=MASTERS)


def program(path: Path, body: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/bash\n{body}\n")
    path.chmod(0o755)
    return path


def test_the_build_is_below_the_cache_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert built.folder() == tmp_path / "groundswell/kube" / built.VERSION
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert built.folder() == tmp_path / "home/.cache/groundswell/kube" / built.VERSION


def test_what_is_missing_is_named_with_what_brings_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(
        PermanentError, match=r"kube-apiserver and .*kube-controller-manager and etcd: run `make kube`"
    ):
        built.binaries()
    apiserver = program(built.folder() / "kube-apiserver", "exit 0")
    manager = program(built.folder() / "kube-controller-manager", "exit 0")
    etcd = program(tmp_path / "bin/etcd", "exit 0")
    assert built.binaries() == Binaries(etcd=etcd, apiserver=apiserver, controller_manager=manager)


def test_a_stack_without_the_build_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    certs = certificates(tmp_path / "certs")
    with (
        Servers(certs) as servers,
        contextlib.ExitStack() as closing,
        pytest.raises(PermanentError, match="make kube"),
    ):
        clusters.start(
            clusters.KUBE,
            tmp_path / "cluster",
            servers,
            certs,
            closing,
            token="t",
            exists=lambda _: True,
            crash=lambda _: False,
            port=0,
        )


def test_what_an_api_server_says_that_does_not_start_is_told(tmp_path: Path) -> None:
    says = 'echo "I1125 starting"; echo "Error: no such flag"; echo "  usage"; echo "I1125 the end"; exit 1'
    programs = Binaries(
        etcd=program(tmp_path / "etcd", 'exec -a "$0" sleep 60'),
        apiserver=program(tmp_path / "kube-apiserver", says),
        controller_manager=program(tmp_path / "kube-controller-manager", "exit 0"),
    )
    plane = ControlPlane(tmp_path / "state", programs, certificates(tmp_path / "certs"))
    with pytest.raises(PermanentError, match=r"did not start: Error: no such flag \(all of it: .*/state/\*\.log\)"):
        plane.start(ADMIN)
    assert not alive(str(tmp_path / "etcd"))
    secret = tmp_path / "state/tokens.csv"
    assert secret.read_text() == "admin-token,admin,admin,system:masters\n"
    assert [path.stat().st_mode & 0o077 for path in (secret, secret.parent)] == [0, 0]
