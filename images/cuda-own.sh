#!/bin/sh
# Puts our nvcc before that of a toolkit which the image brings. Runs in cuda-own.Dockerfile.
#
#   cuda-own.sh VERSION     what the image is said to have in /usr/local/cuda
set -eu

nvcc=$(readlink -f /usr/local/cuda/bin/nvcc) || nvcc=
found=$([ ! -x "$nvcc" ] || "$nvcc" --version | sed -nE 's/.*release ([0-9]+\.[0-9]+).*/\1/p')
if [ "$found" != "$1" ]; then
    echo "other toolkit: $found"
    exit 1
fi
# Where the image is one of ours, its nvcc is.
[ -e "$(dirname "$nvcc")/nvcc.bin" ] || mv "$nvcc" "$(dirname "$nvcc")/nvcc.bin"
mv /tmp/cuda/nvcc "$nvcc"
chmod 755 "$nvcc"
