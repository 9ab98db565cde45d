# A toolchain image with our own tools beside it. Kept apart from the toolchain, so that new
# tools do not install compilers again.
ARG TOOLCHAIN
ARG TOOLBOX
FROM ${TOOLBOX} AS toolbox
FROM ${TOOLCHAIN}
COPY --from=toolbox /opt/wheelhouse /opt/wheelhouse
