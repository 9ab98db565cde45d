#!/bin/sh
# Finishes a CUDA_HOME for builds: adds what links with the driver, and a host compiler that this
# CUDA takes; then checks that it works. Runs in cuda.Dockerfile and cuda-own.Dockerfile.
#
#   cuda-finish.sh HOME GCC     HOME has bin, include and lib64; GCC is the newest it takes
set -eu

home=$1
newest=$2

# The driver's libraries are the machine's that runs them. What is linked with them needs but
# their names: of all functions that the headers declare, and what macros there call them.
stub() {
    soname=$1 declaration=$2 variants=$3 failure=$4
    shift 4
    [ ! -e "$home/lib64/stubs/${soname%.so.*}.so" ] || return 0 # NVIDIA's own
    mkdir -p "$home/lib64/stubs"
    {
        cat "$@" | tr '\n' ' ' | grep -oE "$declaration"
        cat "$@" | sed -nE "$variants"
    } | grep -oE '[A-Za-z0-9_]+ *\(?$' | tr -d '( ' | sort -u |
        sed "s/.*/int &(void) { return $failure; }/" > /tmp/cuda/stub.c
    gcc -shared -fPIC -nostdlib -w "-Wl,-soname,$soname" \
        -o "$home/lib64/stubs/${soname%.so.*}.so" /tmp/cuda/stub.c
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
older() {
    command -v "$1-$2" || command -v "/opt/rh/gcc-toolset-$2/root/usr/bin/$1"
}
major=$(g++ -dumpversion)
major=${major%%.*}
if [ "$major" -gt "$newest" ]; then
    for other in $(seq "$newest" -1 7); do
        older g++ "$other" > /dev/null || continue
        mkdir -p "$home/host"
        for program in gcc g++; do
            ln -sf "$(older "$program" "$other")" "$home/host/$program"
        done
        # nvcc reads that which is beside itself, wherever a link has led to it.
        beside=$(dirname "$(readlink -f "$home/bin/nvcc")")
        echo "compiler-bindir = $home/host" >> "$beside/nvcc.profile"
        break
    done
fi

# What goes wrong here would go wrong in every build. An image may do without the static run time.
for runtime in static shared; do
    [ "$runtime" = shared ] || [ -e "$home/lib64/libcudart_static.a" ] || continue
    "$home/bin/nvcc" "-cudart=$runtime" -o /tmp/cuda/check /tmp/cuda/cuda-check.cu -lcuda
done
