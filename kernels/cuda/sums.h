// A sum (or the largest) of something over a flat buffer, in f64 and in an order that only the buffer's size decides:
// partial sums of blocks, which one more block adds up and hands on. Only .cu files include this.
#pragma once

#include "kernels/cuda/flat.h"

#include <cstddef>

namespace millrace::kernels::cuda {

constexpr std::int64_t kMostPartials = 1024;
constexpr std::size_t kPartialBytes = kMostPartials * sizeof(double);
constexpr unsigned kSumThreads = 256;

/// Whether a group of four of each buffer can be moved as one word.
template <class T, class... Buffers> bool isAligned(const Buffers*... buffers)
{
    return ((reinterpret_cast<std::uintptr_t>(buffers) % (Group::kSize * sizeof(T)) == 0) && ...);
}

template <bool kLargest> __device__ double blockTotal(double value)
{
    return kLargest ? blockMax(value, 0.0) : blockSum(value);
}

/// partial[block] = the terms of the block's groups; term(group, sum) adds a group's to a sum.
template <bool kLargest, class Term>
__global__ void partialSums(Term term, std::uint64_t n, bool aligned, double* partial)
{
    const std::uint64_t stride = std::uint64_t{gridDim.x} * blockDim.x * Group::kSize;
    double sum = 0;
    for (std::uint64_t first = (std::uint64_t{blockIdx.x} * blockDim.x + threadIdx.x) * Group::kSize; first < n;
         first += stride)
        sum = term(Group(first, 0, n, aligned), sum);
    sum = blockTotal<kLargest>(sum);
    if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

/// use(total) by one thread.
template <bool kLargest, class Use> __global__ void totalSum(const double* partial, int count, Use use)
{
    double sum = 0;
    for (int i = static_cast<int>(threadIdx.x); i < count; i += static_cast<int>(blockDim.x))
        sum = kLargest ? (partial[i] > sum ? partial[i] : sum) : sum + partial[i];
    sum = blockTotal<kLargest>(sum);
    if (threadIdx.x == 0) use(sum);
}

/// Enqueues both; `partial` has room for kMostPartials. Of no elements the sum is 0.
template <bool kLargest, class Term, class Use>
void sum(Context& context, const Term& term, std::uint64_t n, bool aligned, double* partial, const Use& use)
{
    const std::int64_t size = std::int64_t{kSumThreads} * Group::kSize;
    const std::int64_t needed = (static_cast<std::int64_t>(n) + size - 1) / size;
    const std::int64_t blocks = needed < 1 ? 1 : needed < kMostPartials ? needed : kMostPartials;
    launch(context, partialSums<kLargest, Term>, dim3(static_cast<unsigned>(blocks)), dim3(kSumThreads), 0, term, n,
           aligned, partial);
    launch(context, totalSum<kLargest, Use>, dim3(1), dim3(kSumThreads), 0, partial, static_cast<int>(blocks), use);
}

} // namespace millrace::kernels::cuda
