# A builder with the target's Python where cibuildwheel expects those of the manylinux images. Its
# own helper is whichever Python is called 3.9 there: any version will do. The programs that it calls
# are there, too, or its complaints would be taken for those of the build. Images of manylinux have
# all of this, and stay as they are.
ARG BUILDER
FROM ${BUILDER}
ARG PYTHON
ARG FOLDER
RUN set -eu; \
    mkdir -p /opt/python; \
    [ -x "$FOLDER/bin/python" ] || "$PYTHON" -m venv "$FOLDER"; \
    [ -x /opt/python/cp39-cp39/bin/python ] || ln -s "$FOLDER" /opt/python/cp39-cp39; \
    which which > /dev/null 2>&1 || \
        { printf '#!/bin/sh\ncommand -v -- "$1"\n' > /usr/local/bin/which; \
          chmod 755 /usr/local/bin/which; }; \
    which manylinux-interpreters > /dev/null 2>&1 || \
        { printf '%s\n' '#!/bin/sh' '[ "$1" != ensure ] || exec test -x "/opt/python/$2/bin/python"' \
              > /usr/local/bin/manylinux-interpreters; \
          chmod 755 /usr/local/bin/manylinux-interpreters; }
# cibuildwheel starts a shell and speaks with that: nothing may stand in between, such as the
# greeting of NVIDIA's images.
ENTRYPOINT []
