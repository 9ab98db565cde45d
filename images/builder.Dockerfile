# A toolchain image with our own tools beside it. Kept apart from the toolchain, so that new
# tools do not install compilers again.
ARG TOOLCHAIN
ARG TOOLBOX
FROM ${TOOLBOX} AS toolbox
FROM ${TOOLCHAIN}
COPY --from=toolbox /opt/wheelhouse /opt/wheelhouse
# Where jobs have their files. A new volume has the rights of what is in its place: so a build has the
# same path on a disk as in memory.
RUN mkdir -p /build && chmod 1777 /build
