# /opt/wheelhouse: a private CPython with our tools, for every Linux of this architecture.
#
# The interpreter, its standard library, the libraries they need and the loader come from a
# Debian 13 image that has python3. The context holds site/ and bin/, unpacked from the pinned
# wheels, and assemble.sh.
ARG BASE
FROM ${BASE} AS assembly
COPY . /opt/wheelhouse/
RUN sh /opt/wheelhouse/assemble.sh

FROM scratch
COPY --from=assembly /opt/wheelhouse /opt/wheelhouse
