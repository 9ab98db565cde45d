// What a host compiler has to compile and link: a kernel, standard headers with it, and a function
// of the driver.
#include <cuda.h>
#include <string>
#include <vector>

__global__ void add(float *sum, const float *other) { sum[threadIdx.x] += other[threadIdx.x]; }

int main()
{
    cuInit(0);
    std::vector<float> host(32, 1.0f);
    float *one = nullptr, *other = nullptr;
    cudaMalloc(&one, host.size() * sizeof(float));
    cudaMalloc(&other, host.size() * sizeof(float));
    add<<<1, 32>>>(one, other);
    return std::string(cudaGetErrorString(cudaGetLastError())).empty();
}
