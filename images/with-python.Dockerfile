# An image with a CPython beside it that was built from the distribution's source package.
ARG BASE
ARG PYTHON
FROM ${PYTHON} AS python
FROM ${BASE}
COPY --from=python /opt/python /opt/python
