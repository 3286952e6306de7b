// A thread that waits leaves its fiber to the loop in Grid::runBlock, which goes on with one that may run; a fiber
// whose thread has ended takes the next one, so that a kernel whose threads never wait runs without a switch.
#include "tests/cuda/simulated/block.h"

#include "kernels/base/text.h"
#include "tests/cuda/simulated/device_language.h"
#include "tests/cuda/simulated/fiber.h"
#include "tests/cuda/simulated/static_shared.h"

#include <algorithm>
#include <array>
#include <memory>
#include <numeric>
#include <random>

namespace millrace::kernels::cuda::simulated {

namespace {

constexpr int kWarp = 32;
constexpr std::size_t kMostShared = std::size_t{227} * 1024, kSharedGuard = 64;
constexpr unsigned char kGuardByte = 0xA5;

// aligned to 16 bytes and no more, as behind static shared memory
alignas(128) std::array<unsigned char, 16 + kMostShared + kSharedGuard> sharedMemory;
unsigned char* const sharedBegin = sharedMemory.data() + 16;

enum class Wait
{
    None,
    Block,
    Warp,
    Exchange,
    Vote
};

std::string_view nameOf(Wait wait)
{
    switch (wait) {
    case Wait::Block:
        return "__syncthreads";
    case Wait::Warp:
        return "__syncwarp";
    case Wait::Exchange:
        return "a shuffle";
    default:
        return "a vote";
    }
}

struct Thread
{
    Wait wait = Wait::None;
    Fiber* fiber = nullptr;
    bool ended = false;
    unsigned mask = 0;      // of the lanes it waits for
    std::uint64_t bits = 0; // what it offers; then what it gets
    int source = 0;
};

using Numbers = std::mt19937_64;

int below(Numbers& numbers, int n)
{
    return static_cast<int>(numbers() % static_cast<std::uint64_t>(n));
}

/// One kernel while it runs.
class Grid
{
public:
    Grid(const Launch& launch, dim3 blockSize, std::uint64_t seed);
    std::string run(std::size_t sharedBytes, dim3 blocks);

    static void runFiber();
    void waitForBlock();
    void waitForWarp(Wait wait, unsigned mask, std::uint64_t bits, int source);
    int lane() const { return m_current % kWarp; }
    std::uint64_t result() const { return m_threads[static_cast<std::size_t>(m_current)].bits; }

private:
    void runBlock();
    void enter(int thread);
    void suspend();
    void release(int thread);
    void completeWarp(int first, unsigned lanes);
    [[noreturn]] void fail(std::string fault);
    std::string describeWaiting() const;

    const Launch& m_launch;
    Numbers m_numbers;
    int m_size;
    bool m_startAllFirst;
    std::vector<int> m_order;
    std::vector<uint3> m_indices;
    std::vector<Thread> m_threads;
    std::vector<int> m_ready;
    int m_started = 0, m_ended = 0, m_atBarrier = 0, m_current = 0;
    std::string m_fault;
};

Grid* grid = nullptr;

/// Kept from launch to launch.
struct Fibers
{
    std::vector<std::unique_ptr<Fiber>> all;
    std::vector<Fiber*> idle;
    Fiber* running = nullptr;

    Fiber* take()
    {
        if (idle.empty()) return all.emplace_back(std::make_unique<Fiber>(Grid::runFiber)).get();
        Fiber* fiber = idle.back();
        idle.pop_back();
        return fiber;
    }
    void restart()
    {
        idle.clear();
        for (const auto& fiber : all) {
            fiber->restart();
            idle.push_back(fiber.get());
        }
    }
};
Fibers fibers;

Grid::Grid(const Launch& launch, dim3 blockSize, std::uint64_t seed)
    : m_launch(launch), m_numbers(seed), m_size(static_cast<int>(blockSize.x * blockSize.y * blockSize.z)),
      m_startAllFirst(m_numbers() % 2 == 0), m_threads(static_cast<std::size_t>(m_size))
{
    for (unsigned z = 0; z < blockSize.z; ++z)
        for (unsigned y = 0; y < blockSize.y; ++y)
            for (unsigned x = 0; x < blockSize.x; ++x) m_indices.push_back({x, y, z});
    // warps in any order, lanes in any order within their warp
    std::vector<int> warps(static_cast<std::size_t>((m_size + kWarp - 1) / kWarp));
    std::iota(warps.begin(), warps.end(), 0);
    std::shuffle(warps.begin(), warps.end(), m_numbers);
    for (const int warp : warps) {
        const auto first = static_cast<std::ptrdiff_t>(m_order.size());
        for (int i = warp * kWarp; i < std::min(m_size, (warp + 1) * kWarp); ++i) m_order.push_back(i);
        std::shuffle(m_order.begin() + first, m_order.end(), m_numbers);
    }
}

void Grid::enter(int thread)
{
    m_current = thread;
    threadIdx = m_indices[static_cast<std::size_t>(thread)];
}

/// What every fiber does, for one grid after another.
void Grid::runFiber()
{
    for (;;) {
        do {
            const int thread = grid->m_order[static_cast<std::size_t>(grid->m_started++)];
            grid->m_threads[static_cast<std::size_t>(thread)].fiber = fibers.running;
            grid->enter(thread);
            grid->m_launch.thread();
            grid->m_threads[static_cast<std::size_t>(thread)].ended = true;
            ++grid->m_ended;
        } while (grid->m_started < grid->m_size && (grid->m_ready.empty() || grid->m_startAllFirst));
        fibers.idle.push_back(fibers.running);
        Fiber::suspend();
    }
}

void Grid::runBlock()
{
    std::fill(m_threads.begin(), m_threads.end(), Thread{});
    m_ready.clear();
    m_started = m_ended = m_atBarrier = 0;
    while (m_ended < m_size && m_fault.empty()) {
        if (m_started < m_size && (m_ready.empty() || m_startAllFirst)) {
            fibers.running = fibers.take();
        } else if (!m_ready.empty()) {
            const int thread = m_ready.back();
            m_ready.pop_back();
            enter(thread);
            fibers.running = m_threads[static_cast<std::size_t>(thread)].fiber;
        } else {
            m_fault = describeWaiting();
            break;
        }
        fibers.running->resume();
    }
    if (!m_fault.empty()) fibers.restart();
}

void Grid::suspend()
{
    Fiber::suspend();
}

void Grid::fail(std::string fault)
{
    m_fault = std::move(fault);
    for (;;) Fiber::suspend(); // never resumed
}

void Grid::release(int thread)
{
    m_threads[static_cast<std::size_t>(thread)].wait = Wait::None;
    if (thread != m_current) m_ready.push_back(thread);
}

void Grid::waitForBlock()
{
    m_threads[static_cast<std::size_t>(m_current)].wait = Wait::Block;
    if (++m_atBarrier < m_size) return suspend();
    m_atBarrier = 0;
    for (const int thread : m_order) release(thread);
    if (m_numbers() % 2 == 0) std::reverse(m_ready.begin(), m_ready.end());
}

void Grid::waitForWarp(Wait wait, unsigned mask, std::uint64_t bits, int source)
{
    const int first = m_current / kWarp * kWarp, lanes = std::min(kWarp, m_size - first);
    const unsigned present = lanes == kWarp ? ~0U : (1U << lanes) - 1;
    if ((mask >> lane() & 1U) == 0) fail(str("lane ", lane(), " called ", nameOf(wait), " with a mask without itself"));
    Thread& self = m_threads[static_cast<std::size_t>(m_current)];
    self.wait = wait;
    self.mask = mask;
    self.bits = bits;
    self.source = source;
    for (int i = 0; i < lanes; ++i) {
        const Thread& other = m_threads[static_cast<std::size_t>(first + i)];
        if ((mask >> i & 1U) == 0) continue;
        if (other.wait == Wait::None || other.wait == Wait::Block) return suspend();
        if (other.wait != wait || other.mask != mask)
            fail(str("lane ", lane(), " waits in ", nameOf(wait), " and lane ", i, " of its warp in ",
                     nameOf(other.wait), other.wait == wait ? " with another mask" : ""));
    }
    completeWarp(first, mask & present);
}

/// All of them have arrived: hands out the results and lets them go on.
void Grid::completeWarp(int first, unsigned lanes)
{
    std::array<std::uint64_t, kWarp> offered{};
    std::uint64_t votes = 0;
    const auto at = [&](int lane) -> Thread& { return m_threads[static_cast<std::size_t>(first + lane)]; };
    for (int i = 0; i < kWarp; ++i) {
        const bool there = (lanes >> i & 1U) != 0;
        offered[static_cast<std::size_t>(i)] = there ? at(i).bits : ~std::uint64_t{0};
        if (there && at(i).bits != 0) votes |= std::uint64_t{1} << i;
    }
    for (int i = 0; i < kWarp; ++i) {
        if ((lanes >> i & 1U) == 0) continue;
        if (at(i).wait == Wait::Exchange) at(i).bits = offered[static_cast<std::size_t>(at(i).source % kWarp)];
        if (at(i).wait == Wait::Vote) at(i).bits = votes;
        release(first + i);
    }
}

std::string Grid::describeWaiting() const
{
    for (int i = 0; i < m_size; ++i) {
        const Thread& thread = m_threads[static_cast<std::size_t>(i)];
        if (!thread.ended)
            return str("thread ", i, " waits for ever in ", nameOf(thread.wait), ", which not all of its ",
                       thread.wait == Wait::Block ? "block" : "warp", " reach; ", m_ended, " of ", m_size,
                       " threads have ended");
    }
    return "no thread can run";
}

std::string Grid::run(std::size_t sharedBytes, dim3 blocks)
{
    const std::uint64_t count = std::uint64_t{blocks.x} * blocks.y * blocks.z;
    const std::uint64_t start = m_numbers() % count;
    const bool backwards = m_numbers() % 2 == 0;
    for (std::uint64_t i = 0; i < count; ++i) {
        const std::uint64_t index = backwards ? (start + count - i) % count : (start + i) % count;
        blockIdx = {static_cast<unsigned>(index % blocks.x), static_cast<unsigned>(index / blocks.x % blocks.y),
                    static_cast<unsigned>(index / blocks.x / blocks.y)};
        std::fill_n(sharedBegin, sharedBytes, static_cast<unsigned char>(0xFF)); // as f32 a NaN
        std::fill_n(sharedBegin + sharedBytes, kSharedGuard, kGuardByte);
        runBlock();
        const bool whole = std::all_of(sharedBegin + sharedBytes, sharedBegin + sharedBytes + kSharedGuard,
                                       [](unsigned char byte) { return byte == kGuardByte; });
        if (m_fault.empty() && !whole) m_fault = str("wrote behind its ", sharedBytes, " bytes of shared memory");
        if (!m_fault.empty()) return str("block ", blockIdx.x, ",", blockIdx.y, ",", blockIdx.z, ": ", m_fault);
    }
    return {};
}

} // namespace

std::string runGrid(const Launch& launch, dim3 blocks, dim3 blockSize, std::size_t sharedBytes, std::uint64_t seed)
{
    blockDim = blockSize;
    gridDim = blocks;
    poisonStaticShared();
    Grid running(launch, blockSize, seed);
    grid = &running;
    return running.run(sharedBytes, blocks);
}

void synchronizeBlock()
{
    grid->waitForBlock();
}

void synchronizeWarp(unsigned mask)
{
    grid->waitForWarp(Wait::Warp, mask, 0, 0);
}

std::uint64_t exchangeLanes(unsigned mask, std::uint64_t bits, int source)
{
    grid->waitForWarp(Wait::Exchange, mask, bits, source);
    return grid->result();
}

unsigned voteOfLanes(unsigned mask, bool vote)
{
    grid->waitForWarp(Wait::Vote, mask, vote ? 1 : 0, 0);
    return static_cast<unsigned>(grid->result());
}

int lane()
{
    return grid->lane();
}

unsigned char* dynamicSharedMemory()
{
    return sharedBegin;
}

} // namespace millrace::kernels::cuda::simulated
