#include "tests/execute/allocation_counter.h"

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<long> allocations{0};
std::atomic<std::size_t> largest{0};

void* counted(std::size_t size, std::size_t alignment = alignof(std::max_align_t))
{
    ++allocations;
    std::size_t before = largest;
    while (size > before && !largest.compare_exchange_weak(before, size)) {
    }
    const std::size_t rounded = (size + alignment - 1) / alignment * alignment;
    return std::aligned_alloc(alignment, rounded ? rounded : alignment);
}

void* orThrow(void* memory)
{
    if (!memory) throw std::bad_alloc();
    return memory;
}

} // namespace

void startCounting()
{
    allocations = 0;
    largest = 0;
}

long allocationCount()
{
    return allocations;
}

std::size_t largestAllocationBytes()
{
    return largest;
}

// the array and sized forms of the standard library call these
void* operator new(std::size_t size)
{
    return orThrow(counted(size));
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept
{
    return counted(size);
}
void* operator new(std::size_t size, std::align_val_t alignment)
{
    return orThrow(counted(size, static_cast<std::size_t>(alignment)));
}
void operator delete(void* memory) noexcept
{
    std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept
{
    std::free(memory);
}
void operator delete(void* memory, const std::nothrow_t&) noexcept
{
    std::free(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept
{
    std::free(memory);
}
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept
{
    std::free(memory);
}
