#!/bin/sh
# Makes /usr/local/cuda-VERSION of what is in /tmp: Debian's package, unpacked, and NVIDIA's wheels.
#
#   assemble.sh VERSION
set -eu

home=/usr/local/cuda-$1
target=targets/x86_64-linux
package=/tmp/package/usr
parts=$package/lib/nvidia-cuda-toolkit
mkdir -p "$home/bin" "$home/nvvm/bin" "$home/$target/lib"
for program in bin2c cudafe++ fatbinary nvlink ptxas; do
    mv "$package/bin/$program" "$home/bin"
done
mv "$parts/bin/nvcc" "$parts/bin/crt" "$home/bin"
mv "$parts/bin/cicc" "$home/nvvm/bin"
mv "$parts/libdevice" "$home/nvvm"
for wheel in /tmp/*.whl; do
    python3 -m zipfile -e "$wheel" /tmp/wheels
done
cp -r /tmp/wheels/nvidia/*/include "$home/$target"
cp /tmp/wheels/nvidia/cuda_runtime/lib/libcudart.so.* "$home/$target/lib"

# The wheels of that release have no static libraries: the shared one, by another name, and none.
cd "$home/$target/lib"
ln -s libcudart.so.* libcudart.so
echo 'INPUT(libcudart.so)' > libcudart_static.a
gcc -c -x c -o /tmp/empty.o /dev/null
ar rc libcudadevrt.a /tmp/empty.o

cd "$home"
ln -s "$target/include" include
ln -s "$target/lib" lib64
ln -s "cuda-$1" /usr/local/cuda
cat > bin/nvcc.profile << 'END'
TOP = $(_HERE_)/..
NVVMIR_LIBRARY_DIR = $(TOP)/nvvm/libdevice
PATH += $(TOP)/nvvm/bin:$(_HERE_):
INCLUDES += "-I$(TOP)/$(_TARGET_DIR_)/include" $(_SPACE_)
LIBRARIES =+ $(_SPACE_) "-L$(TOP)/$(_TARGET_DIR_)/lib$(_TARGET_SIZE_)/stubs" "-L$(TOP)/$(_TARGET_DIR_)/lib$(_TARGET_SIZE_)"
END
