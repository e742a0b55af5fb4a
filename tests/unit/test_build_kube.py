"""tools/build-kube, where outside commands are stand-ins that write down how they were called."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SYSTEM = (
    *("basename", "bash", "cat", "chmod", "dirname", "env", "flock", "grep", "id", "mkdir", "mv", "paste", "rm"),
    *("sed", "sleep", "sort", "tail", "xargs"),
)

SOURCE = "kubernetes_1.20.5+really1.20.2-1.1+deb12u1.dsc"
APT = f"""
echo "apt-get $1 ${{@: -2}}" >>"$CALLS"
case "$*" in
    *indextargets*) echo "deb-src http://mirror/debian bookworm main" ;;
    *" update") [[ -z ${{APT_FAILS:-}} ]] || {{ echo "E: no route to the mirror"; exit 100; }} ;;
    *source*) touch "${{SOURCE:-{SOURCE}}}" ;;
esac
"""
DPKG_SOURCE = """
echo "dpkg-source" >>"$CALLS"
[[ -f $3 ]] || { echo "cannot read $3"; exit 1; }
mkdir -p "$4/pkg/a" && echo '// +k8s:openapi-gen=true' >"$4/pkg/a/doc.go"
mkdir -p "$4/staging/src/k8s.io" "$4/cmd"
"""
# Its last words are the packages; each becomes a program of that name.
GO = """
echo "go ${@: -1}" >>"$CALLS"
[[ ${@: -1} != *"${GO_FAILS:-none}" ]] || { echo "undefined: everything"; exit 2; }
for word in "$@"; do
    case $word in
        -o) next=folder ;;
        k8s.io/*)
            program=$folder/${word##*/}
            printf '#!/bin/bash\\necho "${0##*/} $*" >>"$CALLS"\\n' >"$program"
            chmod +x "$program" ;;
        *) [[ ${next:-} == folder ]] && folder=$word; next= ;;
    esac
done
"""


class Machine:
    """A clone's tools, a cache, and a PATH that holds nothing but stand-ins and coreutils."""

    def __init__(self, folder: Path) -> None:
        self.tools = folder / "clone/tools"
        self.tools.mkdir(parents=True)
        for name in ("build-kube", "steps.sh", "install-packages"):
            shutil.copy(ROOT / "tools" / name, self.tools / name)
        self.bin = folder / "bin"
        self.bin.mkdir()
        for name in SYSTEM:
            (self.bin / name).symlink_to(str(shutil.which(name)))
        for name, body in (("apt-get", APT), ("dpkg-source", DPKG_SOURCE), ("etcd", ""), ("touch", ': >"$1"')):
            self.command(self.bin / name, body)
        self.go = folder / "go"
        self.go.mkdir()
        self.command(self.go / "go", GO)
        self.built = folder / "a cache/1.20.2"  # the space is on purpose
        self.log = folder / "calls"
        release = folder / "os-release"
        release.write_text('ID=debian\nVERSION_ID="12"\n')
        self.env = {
            "PATH": str(self.bin),
            "CALLS": str(self.log),
            "GROUNDSWELL_GO": str(self.go),
            "GROUNDSWELL_OS_RELEASE": str(release),
        }

    def command(self, path: Path, body: str) -> None:
        path.write_text(f"#!/bin/bash\n{body}\n")
        path.chmod(0o755)

    def run(self, **env: str) -> tuple[int, str]:
        done = subprocess.run(
            [self.tools / "build-kube", self.built],
            cwd="/",
            env=self.env | env,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=30,
            start_new_session=True,  # no terminal, as in CI: sudo cannot ask
        )
        return done.returncode, done.stdout

    def calls(self) -> list[str]:
        """What was called since the last look."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        self.log.write_text("")
        return lines


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


SERVERS = ["kube-apiserver", "kube-controller-manager"]


def test_it_is_built_once(machine: Machine) -> None:
    code, out = machine.run()
    assert code == 0, out
    assert sorted(path.name for path in machine.built.iterdir()) == SERVERS
    assert all(os.access(machine.built / name, os.X_OK) for name in SERVERS)
    assert sorted(path.name for path in machine.built.parent.iterdir()) == ["1.20.2", "1.20.2.lock"]
    assert any(call.startswith("openapi-gen") and "-i k8s.io/kubernetes/pkg/a " in call for call in machine.calls())
    assert machine.run() == (0, "")
    assert machine.calls() == []


def test_what_failed_is_told_with_its_remedy_and_goes_on_from_there(machine: Machine) -> None:
    code, out = machine.run(APT_FAILS="1")
    assert code == 1
    assert "  | E: no route to the mirror" in out
    assert "kube: remedy: make the Debian mirror" in out
    code, out = machine.run(GO_FAILS="kube-controller-manager")
    assert code == 1
    assert "  | undefined: everything" in out
    assert not machine.built.exists()
    machine.calls()
    assert machine.run()[0] == 0
    assert not [call for call in machine.calls() if call.startswith(("apt-get", "dpkg-source"))]


def test_another_version_of_debians_source_is_named(machine: Machine) -> None:
    code, out = machine.run(SOURCE="kubernetes_1.21.0-1.dsc")
    assert code == 1
    assert "Debian 12 has another version now" in out


def test_half_a_build_is_no_build(machine: Machine) -> None:
    machine.built.mkdir(parents=True)
    machine.command(machine.built / SERVERS[0], "")
    assert machine.run()[0] == 0
    assert sorted(path.name for path in machine.built.iterdir()) == SERVERS


def test_packages_that_are_missing_are_installed_as_the_set_up_does(machine: Machine) -> None:
    machine.run()
    (machine.bin / "etcd").unlink()
    machine.command(machine.bin / "id", "echo 1000")
    code, out = machine.run()
    assert code == 1
    assert "ask an administrator to run: apt-get install --no-install-recommends etcd-server" in out
    machine.command(machine.bin / "sudo", 'echo "sudo $*" >>"$CALLS"')
    machine.calls()
    assert machine.run()[0] == 0
    assert machine.calls() == ["sudo -n true", f"sudo {machine.tools}/install-packages etcd-server"]
