# /opt/wheelhouse: a private CPython with our tools, for every Linux of this architecture.
#
# The interpreter, its standard library, the libraries they need and the loader are those of the
# Debian 13 image that this starts from, which has python3. The context holds site/ and bin/,
# unpacked from the pinned wheels, and assemble.sh. Only /opt/wheelhouse is copied from here; a
# final stage without the rest would leave this one behind without a name.
ARG BASE
FROM ${BASE}
COPY . /opt/wheelhouse/
RUN sh /opt/wheelhouse/assemble.sh
