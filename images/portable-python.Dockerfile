# /opt/python/3.11 and the like: a CPython compiled on an old distribution, with the compiler and
# the libraries that TOOLCHAIN has, so that it runs there and on what is newer.
#
# Its sources are upstream's own, unchanged, as a distribution keeps them in a source package:
# apt checks the archive's signature, and by that every hash down to the file. A version is taken
# from the release that has it: Debian's skip every other version.
#
# The distributions' patches stay away. They move site-packages and the default schemes to where
# Debian wants them and no other server has them; the security patches among them have little to
# guard where third-party code runs anyhow, in containers without network.
#
# SOURCES is a recent Debian, which knows the keys of newer releases than TOOLCHAIN does. Only
# /opt/python is copied from here; a final stage without the rest would leave this one behind
# without a name.
ARG SOURCES
ARG TOOLCHAIN
FROM ${SOURCES} AS sources
FROM ${TOOLCHAIN}
# Such as 3.11.
ARG PYTHON
# Replaces http://deb.debian.org/debian, and with "-security" appended the security archive.
ARG DEBIAN_MIRROR=
COPY --from=sources /usr/share/keyrings /tmp/python/keys
COPY fetch.sh /tmp/python/
RUN sh /tmp/python/fetch.sh
COPY compile.sh check.py /tmp/python/
RUN sh /tmp/python/compile.sh
