#!/bin/sh
# nvcc, which makes code for the GPUs of the target where its caller does not choose any. There is no
# variable for that which nvcc knows: what NVCC_APPEND_FLAGS says is added to what the caller says.
nvcc=$(dirname -- "$(readlink -f -- "$0")")/nvcc.bin
for word in $NVCC_PREPEND_FLAGS "$@" $NVCC_APPEND_FLAGS; do
    case $word in
        -arch* | --gpu-architecture* | -gencode* | --generate-code* | -code* | --gpu-code*) ;;
        # One file for one architecture.
        -ptx | --ptx | -cubin | --cubin | -optix-ir | --optix-ir) ;;
        *) continue ;;
    esac
    exec "$nvcc" "$@"
done
exec "$nvcc" "$@" $WHEELHOUSE_NVCC_ARCHITECTURES
