#!/bin/sh
# nvcc, which makes code for the GPUs of the target where its caller does not choose any. There is no
# variable for that which nvcc knows: what NVCC_APPEND_FLAGS says is added to what the caller says.
set -f # options are no patterns of file names
if [ -n "$WHEELHOUSE_NVCC_ARCHITECTURES" ]; then
    for word in "$@"; do
        shift
        case $word in
            # There is no GPU here whose that could be: it would be code for the oldest.
            -arch=native | --gpu-architecture=native) ;;
            *) set -- "$@" "$word" ;;
        esac
    done
fi
chosen=
for word in $NVCC_PREPEND_FLAGS "$@" $NVCC_APPEND_FLAGS; do
    case $word in
        -arch* | --gpu-architecture* | -gencode* | --generate-code* | -code* | --gpu-code*)
            chosen=yes ;;
        # One file for one architecture.
        -ptx | --ptx | -cubin | --cubin | -optix-ir | --optix-ir)
            chosen=yes ;;
    esac
done
# shellcheck disable=SC2086  # several options
[ -n "$chosen" ] || set -- "$@" $WHEELHOUSE_NVCC_ARCHITECTURES
exec "$(dirname -- "$(readlink -f -- "$0")")/nvcc.bin" "$@"
