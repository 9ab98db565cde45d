#!/bin/sh
# Fetches CPython's sources and what compiling them needs. Runs in portable-python.Dockerfile.
set -eu

here=/tmp/python
debian=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
export DEBIAN_FRONTEND=noninteractive

# Testing is frozen into an archive of its own only when it is released: until then a mirror may
# show an older day of it than it promised, and it is no less signed for that.
old=
case $PYTHON in
    3.11) suite=bookworm ;;
    3.13) suite=trixie ;;
    3.14) suite=forky old='-o Acquire::Check-Valid-Until=false' ;;
    *) echo "no release of Debian is known that has the source package of Python $PYTHON"; exit 1 ;;
esac

# apt with the sources of one file only, and with lists of its own.
with() {
    lists=$here/lists/$1
    mkdir -p "$lists"
    shift
    apt-get -q -o Acquire::Retries=3 -o Acquire::Languages=none -o APT::Update::Error-Mode=any \
        -o APT::Sandbox::User=root -o Dpkg::Use-Pty=0 -o Dir::State::lists="$lists" \
        -o Dir::Etc::sourcelist="$lists.list" -o Dir::Etc::sourceparts=- "$@"
}

mkdir -p "$here/lists" "$here/source"
cd "$here/source"

# The libraries that the standard library wraps, as far as Debian's own Python has brought them
# along already: a server of the target has no others. That leaves out Tk and GDBM.
cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2> /dev/null \
    | sed "s|http://deb.debian.org/debian|$debian|" > "$here/lists/own.list"
with own update
with own install -y --no-install-recommends xz-utils libbz2-dev libdb-dev libffi-dev liblzma-dev \
    libreadline-dev libsqlite3-dev libssl-dev libzstd-dev uuid-dev zlib1g-dev

echo "deb-src [signed-by=$here/keys/debian-archive-keyring.gpg] $debian $suite main" \
    > "$here/lists/source.list"
# An option with its value, or nothing.
# shellcheck disable=SC2086
with source $old update
with source source --download-only --tar-only "python$PYTHON"
rm -r "$here/lists"
