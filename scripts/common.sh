# shellcheck shell=bash
# What the scripts here share. Each runs at the top of the checkout.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf '%s\n' "$*"; }

fail() {
    printf '%s\n' "$*" >&2
    exit 1
}

need_venv() { [ -x .venv/bin/wheelhouse ] || fail "there is no .venv yet: run scripts/venv first"; }

# Nothing here asks for a password: it installs system packages as root, or says which are wanted.
can_install() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; }

# Runs apt-get; waits if something else, such as an upgrade at boot, has its locks.
apt_get() {
    local end=$((SECONDS + 300)) output
    export DEBIAN_FRONTEND=noninteractive
    until output=$(apt-get -q -o DPkg::Lock::Timeout=300 "$@" 2>&1 </dev/null); do
        if [[ $output != *"Could not get lock"* ]] || [ $SECONDS -gt $end ]; then
            tail -n 15 <<<"$output" >&2
            return 1
        fi
        sleep 3
    done
}

# install_packages PURPOSE PACKAGE…
install_packages() {
    local purpose=$1
    shift
    can_install || fail "$purpose: as root, run \`apt-get install $*\` (Debian, Ubuntu), then start again"
    say "$purpose: installing $*"
    { apt_get update && apt_get -y --no-install-recommends install "$@"; } ||
        fail "$purpose: apt-get could not install $*"
}
