# A builder with a CUDA toolkit that consists of NVIDIA's wheels. The context holds toolkit/,
# unpacked from them, and what finishes it here: what NVIDIA's packages of distributions have and
# wheels have not, and a check that the builder's compiler is one that this CUDA takes.
ARG BUILDER
FROM ${BUILDER}
# Such as 13.2, and the newest major version of GCC that it takes.
ARG VERSION
ARG GCC
COPY toolkit /usr/local/cuda-${VERSION}
COPY cuda-layout.sh cuda-finish.sh cuda-check.cu /tmp/cuda/
# For who looks there; builds get an environment of their own.
ENV PATH=/usr/local/cuda/bin:${PATH}
RUN sh /tmp/cuda/cuda-layout.sh "/usr/local/cuda-$VERSION" && \
    sh /tmp/cuda/cuda-finish.sh "/usr/local/cuda-$VERSION" "$GCC" && rm -r /tmp/cuda
