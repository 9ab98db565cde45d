# A builder with the target's Python where cibuildwheel expects those of the manylinux images. Its
# own helper is whichever Python is called 3.9 there: any version will do. Images of manylinux
# have all of this, and stay as they are.
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
          chmod 755 /usr/local/bin/which; }
