#include "kernels.h"

#include <algorithm>
#include <array>

namespace gpumath {

void check(cudaError_t code, const char *call) {
  if (code == cudaSuccess) return;
  cudaGetLastError();  // Forgets it, else it would be told of the next launch, too.
  throw Failure{call, code};
}

namespace {

constexpr unsigned int kThreads = 256;
constexpr unsigned int kMaxBlocks = 1024;  // Where there is more to do, each does more.
constexpr unsigned int kTile = 16;         // Side of the square that a block of matmul computes.

// Memory of the GPU, which is given back at the end of the scope.
template <typename Number>
class DeviceArray {
 public:
  explicit DeviceArray(std::size_t size) : size_(size) {
    check(cudaMalloc(&data_, bytes()), "cudaMalloc");
  }

  DeviceArray(const Number *host, std::size_t size) : DeviceArray(size) {
    // Should this throw, the destructor runs all the same: the constructor above is done.
    check(cudaMemcpy(data_, host, bytes(), cudaMemcpyHostToDevice), "cudaMemcpy");
  }

  ~DeviceArray() { cudaFree(data_); }

  DeviceArray(const DeviceArray &) = delete;
  DeviceArray &operator=(const DeviceArray &) = delete;

  // Waits for the kernels before it, so what went wrong in one of them is told here.
  void copy_to(Number *host) const {
    check(cudaMemcpy(host, data_, bytes(), cudaMemcpyDeviceToHost), "cudaMemcpy");
  }

  Number *data() const { return data_; }

 private:
  std::size_t bytes() const { return size_ * sizeof(Number); }

  std::size_t size_;
  Number *data_ = nullptr;
};

// How many blocks to launch where each does one piece of work, and then another if there is more.
unsigned int blocks_for(std::size_t pieces) {
  return static_cast<unsigned int>(std::min(pieces, std::size_t{kMaxBlocks}));
}

// Pieces of `size` that cover `count`.
__host__ __device__ std::size_t pieces_of(std::size_t count, std::size_t size) {
  return (count + size - 1) / size;
}

__device__ std::size_t first_index() { return std::size_t{blockIdx.x} * blockDim.x + threadIdx.x; }

__device__ std::size_t stride() { return std::size_t{gridDim.x} * blockDim.x; }

__global__ void saxpy_kernel(std::size_t count, float a, const float *x, float *y) {
  for (std::size_t i = first_index(); i < count; i += stride()) y[i] = a * x[i] + y[i];
}

// Leaves one sum per block in `partial`.
__global__ void dot_kernel(std::size_t count, const float *x, const float *y, double *partial) {
  __shared__ double sums[kThreads];
  double sum = 0;
  for (std::size_t i = first_index(); i < count; i += stride()) sum += double{x[i]} * y[i];
  sums[threadIdx.x] = sum;
  for (unsigned int half = kThreads / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half) sums[threadIdx.x] += sums[threadIdx.x + half];
  }
  if (threadIdx.x == 0) partial[blockIdx.x] = sums[0];
}

// A block computes one tile of `out` after another, each from strips of tiles of `a` and `b`.
__global__ void matmul_kernel(std::size_t rows, std::size_t inner, std::size_t columns,
                              const float *a, const float *b, float *out) {
  __shared__ float a_tile[kTile][kTile];
  __shared__ float b_tile[kTile][kTile];
  const std::size_t across = pieces_of(columns, kTile);
  const std::size_t tiles = across * pieces_of(rows, kTile);
  for (std::size_t tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
    const std::size_t row = tile / across * kTile + threadIdx.y;
    const std::size_t column = tile % across * kTile + threadIdx.x;
    float sum = 0;
    for (std::size_t start = 0; start < inner; start += kTile) {
      const std::size_t a_column = start + threadIdx.x;
      const std::size_t b_row = start + threadIdx.y;
      a_tile[threadIdx.y][threadIdx.x] =
          row < rows && a_column < inner ? a[row * inner + a_column] : 0;
      b_tile[threadIdx.y][threadIdx.x] =
          b_row < inner && column < columns ? b[b_row * columns + column] : 0;
      __syncthreads();
      for (unsigned int k = 0; k < kTile; ++k) {
        sum += a_tile[threadIdx.y][k] * b_tile[k][threadIdx.x];
      }
      __syncthreads();  // Nobody overwrites a tile that another thread still reads.
    }
    if (row < rows && column < columns) out[row * columns + column] = sum;
  }
}

}  // namespace

void saxpy(std::size_t count, float a, const float *x, float *y) {
  if (count == 0) return;  // No launch has an empty grid.
  const DeviceArray<float> device_x(x, count);
  const DeviceArray<float> device_y(y, count);
  const unsigned int blocks = blocks_for(pieces_of(count, kThreads));
  saxpy_kernel<<<blocks, kThreads>>>(count, a, device_x.data(), device_y.data());
  check(cudaGetLastError(), "saxpy");
  device_y.copy_to(y);
}

double dot(std::size_t count, const float *x, const float *y) {
  if (count == 0) return 0;
  const DeviceArray<float> device_x(x, count);
  const DeviceArray<float> device_y(y, count);
  const unsigned int blocks = blocks_for(pieces_of(count, kThreads));
  const DeviceArray<double> device_partial(blocks);
  dot_kernel<<<blocks, kThreads>>>(count, device_x.data(), device_y.data(), device_partial.data());
  check(cudaGetLastError(), "dot");
  std::array<double, kMaxBlocks> partial;
  device_partial.copy_to(partial.data());
  double sum = 0;  // In the same order every time, which atomic additions on the GPU have not.
  for (unsigned int block = 0; block < blocks; ++block) sum += partial[block];
  return sum;
}

void matmul(std::size_t rows, std::size_t inner, std::size_t columns, const float *a,
            const float *b, float *out) {
  if (rows == 0 || columns == 0) return;
  const DeviceArray<float> device_a(a, rows * inner);
  const DeviceArray<float> device_b(b, inner * columns);
  const DeviceArray<float> device_out(rows * columns);
  const unsigned int blocks = blocks_for(pieces_of(rows, kTile) * pieces_of(columns, kTile));
  matmul_kernel<<<blocks, dim3(kTile, kTile)>>>(rows, inner, columns, device_a.data(),
                                                device_b.data(), device_out.data());
  check(cudaGetLastError(), "matmul");
  device_out.copy_to(out);
}

}  // namespace gpumath
