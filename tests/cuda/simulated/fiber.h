// Stacks to switch between on one OS thread: a thread of a simulated block keeps its own while it waits for others.
#pragma once

#include <cstddef>

namespace millrace::kernels::cuda::simulated {

/// A stack that runs `entry`, which never returns, from its first resume() on. One thread at a time may use fibers.
class Fiber
{
public:
    explicit Fiber(void (*entry)());
    ~Fiber();
    Fiber(const Fiber&) = delete;
    Fiber& operator=(const Fiber&) = delete;

    void resume();         ///< called outside of fibers; returns when this one suspends
    static void suspend(); ///< called in a fiber
    void restart();        ///< forgets what it was doing: the next resume() is a first one

private:
    void (*m_entry)();
    std::byte* m_memory;
    void* m_context = nullptr;
};

} // namespace millrace::kernels::cuda::simulated
