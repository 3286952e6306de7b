// A switch stores the registers that a call keeps and changes the stack pointer: 16 instructions on x86-64. Elsewhere
// the C library's swapcontext does it, which asks the kernel for the signal mask twice and so takes 100 times as long.
#include "tests/cuda/simulated/fiber.h"

#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#if !defined(__x86_64__)
#include <ucontext.h>
#endif

namespace millrace::kernels::cuda::simulated {

namespace {

constexpr std::size_t kPage = 4096, kStackBytes = 64 * kPage;

#if defined(__x86_64__)

using Context = void*; // the stack pointer, below the saved registers

asm(R"(
.pushsection .text
.type millraceSwitchFiber,@function
millraceSwitchFiber:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq (%rsi), %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
.size millraceSwitchFiber, .-millraceSwitchFiber
.popsection
)");
extern "C" void millraceSwitchFiber(Context* save, Context* load);

void makeContext(Context& context, std::byte* stack, void (*entry)())
{
    auto* top = reinterpret_cast<std::uintptr_t*>(stack + kStackBytes);
    *--top = 0; // where a caller's address would be: entry does not return
    *--top = reinterpret_cast<std::uintptr_t>(entry);
    for (int i = 0; i < 6; ++i) *--top = 0;
    context = top;
}

#else

using Context = ucontext_t;

void millraceSwitchFiber(Context* save, Context* load)
{
    swapcontext(save, load);
}

void makeContext(Context& context, std::byte* stack, void (*entry)())
{
    getcontext(&context);
    context.uc_stack.ss_sp = stack;
    context.uc_stack.ss_size = kStackBytes;
    context.uc_link = nullptr;
    makecontext(&context, entry, 0);
}

#endif

Context outside;
Context* running = nullptr;

#if defined(__SANITIZE_ADDRESS__)
const void* outsideStack = nullptr;
std::size_t outsideBytes = 0;
#endif

/// What the sanitizer is told where a fiber begins and where it goes on.
void arrived()
{
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(nullptr, &outsideStack, &outsideBytes);
#endif
}

void (*firstEntry)() = nullptr;

void begin()
{
    arrived();
    firstEntry();
    std::abort();
}

} // namespace

Fiber::Fiber(void (*entry)()) : m_entry(entry)
{
    // a page that cannot be touched lies below the stack
    m_memory = static_cast<std::byte*>(
        mmap(nullptr, kPage + kStackBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    if (m_memory == MAP_FAILED || mprotect(m_memory + kPage, kStackBytes, PROT_READ | PROT_WRITE) != 0) std::abort();
    m_context = new Context{};
    restart();
}

Fiber::~Fiber()
{
    delete static_cast<Context*>(m_context);
    munmap(m_memory, kPage + kStackBytes);
}

void Fiber::restart()
{
#if defined(__SANITIZE_ADDRESS__)
    __asan_unpoison_memory_region(m_memory + kPage, kStackBytes);
#endif
    makeContext(*static_cast<Context*>(m_context), m_memory + kPage, begin);
}

void Fiber::resume()
{
    running = static_cast<Context*>(m_context);
    firstEntry = m_entry;
#if defined(__SANITIZE_ADDRESS__)
    void* fake = nullptr;
    __sanitizer_start_switch_fiber(&fake, m_memory + kPage, kStackBytes);
#endif
    millraceSwitchFiber(&outside, running);
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(fake, nullptr, nullptr);
#endif
}

void Fiber::suspend()
{
#if defined(__SANITIZE_ADDRESS__)
    void* fake = nullptr;
    __sanitizer_start_switch_fiber(&fake, outsideStack, outsideBytes);
#endif
    millraceSwitchFiber(running, &outside);
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(fake, &outsideStack, &outsideBytes);
#endif
}

} // namespace millrace::kernels::cuda::simulated
