# What the packages of an Alpine release provide, for questions that are asked without a network:
# commands, libraries and pkg-config files. Alpine's index names no other files.
ARG BASE
ARG TOOLBOX
FROM ${TOOLBOX} AS toolbox
FROM ${BASE}
COPY --from=toolbox /opt/wheelhouse /opt/wheelhouse
COPY index.py /opt/wheelhouse/
RUN set -eu; \
    apk update; \
    folder=/var/cache/apk; [ ! -e /etc/apk/cache ] || folder=/etc/apk/cache; \
    /opt/wheelhouse/bin/python -I /opt/wheelhouse/index.py apk $folder; \
    rm -rf /var/cache/apk/*
