#!/bin/sh
# Makes a CUDA_HOME of what NVIDIA's wheels hold. Runs in cuda.Dockerfile.
#
#   cuda-layout.sh HOME     HOME has bin, include, lib and nvvm
set -eu

home=$1
rm -rf /usr/local/cuda # the image's own, of another release
ln -s "$home" /usr/local/cuda
ln -sfn lib "$home/lib64"

# Linkers and CMake ask for libX.so; wheels have no links, so each has its soname only.
for library in "$home"/lib/lib*.so.*; do
    name=${library##*/}
    [ -e "$home/lib/${name%%.so.*}.so" ] || ln -s "$name" "$home/lib/${name%%.so.*}.so"
done

# Where NVIDIA's installers put both, and Meson looks for them.
case $(uname -m) in
    aarch64) platform=sbsa-linux ;;
    *) platform=$(uname -m)-linux ;;
esac
mkdir -p "$home/targets/$platform"
ln -sfn ../../include "$home/targets/$platform/include"
ln -sfn ../../lib "$home/targets/$platform/lib"

chmod 755 "$home/bin/nvcc"
