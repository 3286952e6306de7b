// Handles of CUDA's libraries, destroyed with the object that holds them.
#pragma once

#include "kernels/cuda/runtime.h"

#include <cstddef>
#include <memory>
#include <type_traits>

namespace millrace::kernels::cuda {

template <auto Destroy> struct Destroyer
{
    template <class Handle> void operator()(Handle* handle) const { (runtime().*Destroy)(handle); }
};

/// Handle: the library's name of the pointer; Destroy: the member of Runtime that takes it.
template <class Handle, auto Destroy> using Owned = std::unique_ptr<std::remove_pointer_t<Handle>, Destroyer<Destroy>>;

struct FreeMemory
{
    void operator()(std::byte* memory) const { runtime().cudaFree(memory); }
};
/// Memory of the device.
using OwnedMemory = std::unique_ptr<std::byte, FreeMemory>;

struct FreeHostMemory
{
    void operator()(std::byte* memory) const { runtime().cudaFreeHost(memory); }
};
/// Pinned memory of the host.
using OwnedHostMemory = std::unique_ptr<std::byte, FreeHostMemory>;

} // namespace millrace::kernels::cuda
