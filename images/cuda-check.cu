// What a host compiler has to compile and link: a kernel, and standard headers with it.
#include <string>
#include <vector>

__global__ void add(float *sum, const float *other) { sum[threadIdx.x] += other[threadIdx.x]; }

int main()
{
    std::vector<float> host(32, 1.0f);
    float *one = nullptr, *other = nullptr;
    cudaMalloc(&one, host.size() * sizeof(float));
    cudaMalloc(&other, host.size() * sizeof(float));
    add<<<1, 32>>>(one, other);
    return std::string(cudaGetErrorString(cudaGetLastError())).empty();
}
