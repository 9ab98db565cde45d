// What is computed on the GPU, for callers who have their numbers in the host's memory.
//
// Every function here blocks until its result is there, throws `Failure` if CUDA reports one, and
// leaves nothing allocated. Python is unknown here: callers may have released its lock.

#pragma once

#include <cstddef>

#include <cuda_runtime_api.h>

namespace gpumath {

// A call of CUDA's run time that failed.
struct Failure {
  const char *call;
  cudaError_t code;
};

// Throws `Failure` unless `code` is a success.
void check(cudaError_t code, const char *call);

// y = a * x + y, for vectors of `count` numbers.
void saxpy(std::size_t count, float a, const float *x, float *y);

// The sum of x[i] * y[i], for vectors of `count` numbers; added up in double precision.
double dot(std::size_t count, const float *x, const float *y);

// out = a * b, where a has `rows` rows of `inner` numbers, and b has `inner` rows of `columns`.
void matmul(std::size_t rows, std::size_t inner, std::size_t columns, const float *a,
            const float *b, float *out);

}  // namespace gpumath
