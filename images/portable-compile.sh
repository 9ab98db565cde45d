#!/bin/sh
# Compiles CPython from the sources that fetch.sh got. Runs in portable-python.Dockerfile.
set -eu

here=/tmp/python
prefix=/opt/python/$PYTHON
# The standard library's extension modules name their source files, so this one is worth reading.
build=/usr/src/python$PYTHON

mkdir -p "$build"
cd "$build"
tar -xf "$here"/source/python"$PYTHON"_*.orig.tar.* --strip-components=1
# What only a person with a screen uses; Tk is not there anyway.
rm -r Lib/idlelib Lib/tkinter Lib/turtle.py Lib/turtledemo Lib/pydoc_data

# The interpreter's banner says when it was compiled: the release's day, in place of today.
SOURCE_DATE_EPOCH=$(stat -c %Y configure)
export SOURCE_DATE_EPOCH

# What OPT says is also how extension modules are compiled for this Python. Neither debug
# information nor profile-guided or link-time optimization, which costs many minutes: this
# interpreter starts build backends and imports what they made.
# Berkeley DB is the one database library that Debian's own Python brings along.
OPT='-fwrapv -O2' ./configure -q --prefix="$prefix" --without-ensurepip --disable-test-modules \
    --enable-loadable-sqlite-extensions --with-dbmliborder=bdb
make -s -j"$(nproc)"
make -s install

interpreter=$prefix/bin/python$PYTHON
cd "$prefix"
rm -rf share bin/idle* bin/pydoc* bin/2to3* lib/python*/lib-dynload/xxlimited*
# Twice the same static library; programs that embed Python look in both places.
for copy in lib/python*/config-*/libpython*.a; do ln -sf "../../${copy##*/}" "$copy"; done
strip --strip-unneeded "bin/python$PYTHON" lib/python*/lib-dynload/*.so
# Builds may not be led to a folder that is not there. What sysconfig calls the source folder of
# an installed Python is where its Makefile lies.
config=$(dirname "$prefix"/lib/python*/config-*/Makefile)
sed -i "s|$build|$config|g" "$config/Makefile" lib/python*/_sysconfig*_*linux*

# Images are read-only, and their time stamps mean nothing: compiled once, never checked again.
find . -name __pycache__ -prune -exec rm -r {} +
"$interpreter" -I -m compileall -q -j0 --invalidation-mode unchecked-hash lib
chmod -R a+rX,go-w .
"$interpreter" -I "$here/check.py"
