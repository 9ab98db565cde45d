#!/bin/sh
# Puts our nvcc before that of a toolkit which the image brings. Runs in cuda-own.Dockerfile.
#
#   cuda-own.sh VERSION     what the image is said to have in /usr/local/cuda
set -eu

# The image has a toolkit, and nobody can build with it: that is not to have none.
unusable() {
    echo "unusable nvcc: $1"
    exit 1
}

nvcc=$(readlink -f /usr/local/cuda/bin/nvcc) || nvcc=
found=
if [ -e "$nvcc" ]; then
    [ -x "$nvcc" ] || unusable "$nvcc may not be executed"
    status=0
    said=$("$nvcc" --version 2>&1) || status=$?
    last=$(echo "$said" | tail -n 1)
    [ "$status" -eq 0 ] || unusable "$nvcc: ${last:-it ends with exit status $status}"
    found=$(echo "$said" | sed -nE 's/.*release ([0-9]+\.[0-9]+).*/\1/p')
    [ -n "$found" ] || unusable "$nvcc: it does not say its release"
fi
if [ "$found" != "$1" ]; then
    echo "other toolkit: $found"
    exit 1
fi
# Where the image is one of ours, its nvcc is.
[ -e "$(dirname "$nvcc")/nvcc.bin" ] || mv "$nvcc" "$(dirname "$nvcc")/nvcc.bin"
mv /tmp/cuda/nvcc "$nvcc"
chmod 755 "$nvcc"
