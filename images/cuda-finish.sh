#!/bin/sh
# Makes a CUDA_HOME of what NVIDIA's wheels hold. Runs in cuda.Dockerfile.
#
#   cuda-finish.sh HOME GCC     HOME has bin, include, lib and nvvm; GCC is the newest it takes
set -eu

home=$1
newest=$2
ln -sfn "$home" /usr/local/cuda
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

# The driver's libraries are the machine's that runs them. What is linked with them needs but
# their names: of all functions that the headers declare, and what macros there call them.
stub() {
    soname=$1 declaration=$2 variants=$3 failure=$4
    shift 4
    mkdir -p "$home/lib/stubs"
    {
        cat "$@" | tr '\n' ' ' | grep -oE "$declaration"
        cat "$@" | sed -nE "$variants"
    } | grep -oE '[A-Za-z0-9_]+ *\(?$' | tr -d '( ' | sort -u |
        sed "s/.*/int &(void) { return $failure; }/" > /tmp/cuda/stub.c
    gcc -shared -fPIC -nostdlib -w "-Wl,-soname,$soname" \
        -o "$home/lib/stubs/${soname%.so.*}.so" /tmp/cuda/stub.c
}
# 34 is CUDA_ERROR_STUB_LIBRARY. Macros call functions _v2, or _ptds and _ptsz for streams of threads.
stub libcuda.so.1 'CUresult +CUDAAPI +cu[A-Za-z0-9_]+ *\(' \
    's/^ *# *define +cu[A-Za-z0-9_]+ +(cu[A-Za-z0-9_]+) *$/\1/p
     s/^ *# *define +cu[A-Za-z0-9_]+ +__CUDA_API_PT(DS|SZ)\((cu[A-Za-z0-9_]+)\).*/\2_pt\1/
     /_pt(DS|SZ)$/ { s/DS$/ds/; s/SZ$/sz/; p }' 34 "$home"/include/cuda*.h
if [ -e "$home/include/nvml.h" ]; then
    # 12 is NVML_ERROR_LIBRARY_NOT_FOUND.
    stub libnvidia-ml.so.1 'DECLDIR +(char *\* *)?nvml[A-Za-z0-9_]+ *\(' \
        's/^ *# *define +nvml[A-Za-z0-9_]+ +(nvml[A-Za-z0-9_]+) *$/\1/p' 12 "$home/include/nvml.h"
fi

# Where the distribution's compiler is too new, one that it has beside it, of which nvcc is told.
major=$(g++ -dumpversion)
major=${major%%.*}
if [ "$major" -gt "$newest" ]; then
    for other in $(seq "$newest" -1 7); do
        command -v "g++-$other" > /dev/null || continue
        mkdir "$home/host"
        for program in gcc g++; do
            ln -s "$(command -v "$program-$other")" "$home/host/$program"
        done
        echo "compiler-bindir = \$(TOP)/host" >> "$home/bin/nvcc.profile"
        break
    done
fi

# What goes wrong here would go wrong in every build.
for runtime in static shared; do
    "$home/bin/nvcc" "-cudart=$runtime" -o /tmp/cuda/check /tmp/cuda/cuda-check.cu -lcuda
done
