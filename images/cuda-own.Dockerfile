# A builder whose image brings a CUDA toolkit, with an nvcc that knows the GPUs of a target, as in
# builders with NVIDIA's wheels, and the same check that its compiler is one that this CUDA takes.
ARG BUILDER
FROM ${BUILDER}
# Such as 12.9, and the newest major version of GCC that it takes.
ARG VERSION
ARG GCC
# For who looks there; builds get an environment of their own.
ENV PATH=/usr/local/cuda/bin:${PATH}
COPY nvcc cuda-own.sh cuda-finish.sh cuda-check.cu /tmp/cuda/
RUN sh /tmp/cuda/cuda-own.sh "$VERSION" && \
    sh /tmp/cuda/cuda-finish.sh "$(readlink -f /usr/local/cuda)" "$GCC" && rm -r /tmp/cuda
