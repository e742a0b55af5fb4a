# Sourced by the scripts that set things up: how a step is told, how it fails, and how Debian's packages come.
#
# The script that sources it sets `subject` (what its lines begin with), `log` (a file) and `root` (the clone).

say() { printf '%s: %s\n' "$subject" "$*"; }

fail() { # LINE...
    printf "$subject: %s\n" "$@" >&2
    exit 1
}

attempt() { # NAME REMEDY COMMAND...: runs it with its output in the log; a failure is shown with its end and remedy
    local name=$1 remedy=$2
    shift 2
    say "$name"
    printf '== %s\n' "$name" >>"$log"
    "$@" >>"$log" 2>&1 </dev/null && return
    tail -n 15 "$log" | sed 's/^/  | /' >&2
    fail "this step failed: $name" "remedy: $remedy" "the whole log: $log"
}

is_debian_12() {
    ( # a subshell keeps the file's variables out of this script
        . "${GROUNDSWELL_OS_RELEASE:-/etc/os-release}" 2>/dev/null || exit 1
        [[ ${ID:-} == debian && ${VERSION_ID:-} == 12 ]] && command -v apt-get >/dev/null
    )
}

install_packages() { # PACKAGE...
    local command="apt-get install --no-install-recommends $*" as_root=()
    if ! is_debian_12; then
        fail "missing: $*" \
            "this is not Debian 12, for which the set-up knows the packages: open the clone in its dev container" \
            "(.devcontainer, with VS Code or the devcontainer command), or install these yourself and run this again"
    fi
    if (($(id -u) != 0)); then
        command -v sudo >/dev/null || fail "missing Debian packages: $*" "ask an administrator to run: $command"
        if ! sudo -n true 2>/dev/null && ! (: </dev/tty) 2>/dev/null; then
            fail "missing Debian packages: $*" "sudo needs a terminal to ask for a password; run first: sudo $command"
        fi
        as_root=(sudo)
    fi
    attempt "installing Debian packages${as_root:+ with sudo}: $*" "run: ${as_root:+sudo }$command" \
        "${as_root[@]}" "$root/tools/install-packages" "$@"
}
