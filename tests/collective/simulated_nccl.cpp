#include "simulated_nccl.h"

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <thread>

namespace millrace::collective::test {

namespace {

SimulatedNccl world;
std::mutex mutex; // guards everything here; ranks are threads
std::condition_variable changed;
int lastId = 0;

struct Communicator;

/// The ranks of one id, and what each has brought to the operation that is made.
struct Clique
{
    std::map<int, Communicator*> ranks;
    std::map<std::uint64_t, std::map<int, std::vector<std::byte>>> brought; // by operation and rank
};
std::map<std::string, Clique> cliques;

struct Operation
{
    enum Kind
    {
        AllReduce,
        ReduceScatter,
        Reduce,
        AllGather,
        Broadcast
    } kind;
    const void* from;
    void* to;
    std::size_t count, bytes; // bytes of an element
    int root;
};

struct Communicator
{
    Clique* clique = nullptr;
    int rank = 0, ranks = 1;
    std::uint64_t made = 0;
    bool aborted = false, finalized = false;
    ncclResult_t state = ncclSuccess;
    std::deque<Operation> queue;
    std::jthread thread;

    void run();
    bool exchange(const Operation& operation, std::unique_lock<std::mutex>& lock);
};

/// All ranks bring what they send; each takes what it needs. False where the rank was aborted.
bool Communicator::exchange(const Operation& operation, std::unique_lock<std::mutex>& lock)
{
    auto& brought = clique->brought[made];
    const auto ranksOf = static_cast<std::size_t>(ranks), own = static_cast<std::size_t>(rank);
    const bool scatter = operation.kind == Operation::ReduceScatter;
    const std::size_t sent = operation.count * operation.bytes * (scatter ? ranksOf : 1);
    const auto* from = static_cast<const std::byte*>(operation.from);
    brought[rank].assign(from, from + sent);
    changed.notify_all();
    changed.wait(lock, [&] { return aborted || brought.size() == ranksOf; });
    if (aborted) return false;
    auto* to = static_cast<float*>(operation.to);
    const std::size_t size = operation.count * operation.bytes;
    if (operation.kind == Operation::Broadcast) {
        std::memcpy(operation.to, brought[operation.root].data(), size);
    } else if (operation.kind == Operation::AllGather) {
        for (int other = 0; other < ranks; ++other)
            std::memcpy(static_cast<std::byte*>(operation.to) + static_cast<std::size_t>(other) * size,
                        brought[other].data(), size);
    } else if (operation.kind != Operation::Reduce || rank == operation.root) {
        for (std::size_t i = 0; i < operation.count; ++i) {
            float sum = 0;
            for (int other = 0; other < ranks; ++other) {
                float part = 0;
                std::memcpy(&part, brought[other].data() + (i + (scatter ? own * operation.count : 0)) * sizeof part,
                            sizeof part);
                sum = other == 0 ? part : sum + part;
            }
            to[i] = sum;
        }
    }
    return true;
}

void Communicator::run()
{
    std::unique_lock lock(mutex);
    for (;;) {
        changed.wait(lock, [&] { return aborted || finalized || !queue.empty(); });
        if (aborted || (finalized && queue.empty())) break;
        if (world.brokenRank == rank && made >= static_cast<std::uint64_t>(world.breakAfter)) {
            state = world.asyncError;
            break;
        }
        const Operation operation = queue.front();
        if (!exchange(operation, lock)) break;
        ++made;
        queue.pop_front();
        if (queue.empty()) state = ncclSuccess;
        changed.notify_all();
    }
}

thread_local std::vector<std::pair<Communicator*, Operation>> group;

void note(std::string call)
{
    if (world.record) world.calls.push_back(std::move(call));
}

Communicator& at(ncclComm_t handle)
{
    return *reinterpret_cast<Communicator*>(handle);
}

ncclResult_t put(Operation operation, ncclComm_t handle, const char* name)
{
    const std::lock_guard lock(mutex);
    note(name);
    group.emplace_back(&at(handle), operation);
    return ncclSuccess;
}

std::size_t sizeOf(ncclDataType_t type)
{
    return type == ncclFloat32 ? 4 : 1;
}

ncclResult_t end(Communicator& communicator, bool abort)
{
    {
        const std::lock_guard lock(mutex);
        (abort ? communicator.aborted : communicator.finalized) = true;
        (abort ? world.aborted : world.destroyed) += 1;
        changed.notify_all();
    }
    communicator.thread.join();
    const std::lock_guard lock(mutex);
    if (communicator.clique) communicator.clique->ranks.erase(communicator.rank);
    delete &communicator;
    return ncclSuccess;
}

NcclRuntime makeTable()
{
    NcclRuntime table{};
    table.getVersion = [](int* version) {
        *version = world.version;
        return ncclSuccess;
    };
    table.getUniqueId = [](ncclUniqueId* id) {
        const std::lock_guard lock(mutex);
        std::memset(id->internal, 0, sizeof id->internal);
        std::memcpy(id->internal, &++lastId, sizeof lastId);
        return ncclSuccess;
    };
    table.commInitRankConfig = [](ncclComm_t* handle, int ranks, ncclUniqueId id, int rank, ncclConfig_t* config) {
        const std::lock_guard lock(mutex);
        if (config->blocking != 0) return ncclInvalidUsage;
        if (world.initResult != ncclInProgress) return world.initResult;
        auto* communicator = new Communicator;
        communicator->clique = &cliques[std::string(id.internal, 8)];
        communicator->rank = rank;
        communicator->ranks = ranks;
        communicator->state = world.initEnds;
        communicator->clique->ranks[rank] = communicator;
        communicator->thread = std::jthread([communicator] { communicator->run(); });
        *handle = reinterpret_cast<ncclComm_t>(communicator);
        return ncclInProgress;
    };
    table.commFinalize = [](ncclComm_t) { return ncclInProgress; };
    table.commDestroy = [](ncclComm_t handle) { return end(at(handle), false); };
    table.commAbort = [](ncclComm_t handle) { return end(at(handle), true); };
    table.commGetAsyncError = [](ncclComm_t handle, ncclResult_t* state) {
        const std::lock_guard lock(mutex);
        *state = at(handle).state;
        return ncclSuccess;
    };
    table.getErrorString = [](ncclResult_t result) {
        return result == ncclRemoteError ? "remote error" : result == ncclSystemError ? "system error" : "some error";
    };
    table.getLastError = [](ncclComm_t) { return "the simulation's reason"; };
    table.groupStart = [] {
        const std::lock_guard lock(mutex);
        note("groupStart");
        group.clear();
        return ncclSuccess;
    };
    table.groupEnd = [] {
        const std::lock_guard lock(mutex);
        note("groupEnd");
        for (auto& [communicator, operation] : group) {
            communicator->queue.push_back(operation);
            communicator->state = ncclInProgress;
        }
        changed.notify_all();
        return ncclInProgress;
    };
    table.allReduce = [](const void* from, void* to, std::size_t count, ncclDataType_t type, ncclRedOp_t,
                         ncclComm_t handle, cudaStream_t) {
        return put({Operation::AllReduce, from, to, count, sizeOf(type), 0}, handle, "allReduce");
    };
    table.reduceScatter = [](const void* from, void* to, std::size_t count, ncclDataType_t type, ncclRedOp_t,
                             ncclComm_t handle, cudaStream_t) {
        return put({Operation::ReduceScatter, from, to, count, sizeOf(type), 0}, handle, "reduceScatter");
    };
    table.reduce = [](const void* from, void* to, std::size_t count, ncclDataType_t type, ncclRedOp_t, int root,
                      ncclComm_t handle, cudaStream_t) {
        return put({Operation::Reduce, from, to, count, sizeOf(type), root}, handle, "reduce");
    };
    table.allGather = [](const void* from, void* to, std::size_t count, ncclDataType_t type, ncclComm_t handle,
                         cudaStream_t) {
        return put({Operation::AllGather, from, to, count, sizeOf(type), 0}, handle, "allGather");
    };
    table.broadcast = [](const void* from, void* to, std::size_t count, ncclDataType_t type, int root,
                         ncclComm_t handle, cudaStream_t) {
        return put({Operation::Broadcast, from, to, count, sizeOf(type), root}, handle, "broadcast");
    };

    table.streamGetCtx = [](CUstream, CUcontext* context) {
        *context = nullptr;
        return CUDA_SUCCESS;
    };
    table.ctxSetCurrent = [](CUcontext) { return CUDA_SUCCESS; };
    table.streamCreateWithPriority = [](CUstream* stream, unsigned, int) {
        *stream = reinterpret_cast<CUstream>(2);
        return CUDA_SUCCESS;
    };
    table.streamDestroy = [](CUstream) { return CUDA_SUCCESS; };
    table.streamWaitEvent = [](CUstream stream, CUevent, unsigned) {
        const std::lock_guard lock(mutex);
        note(stream == reinterpret_cast<CUstream>(2) ? "own stream waits" : "rank's stream waits");
        return CUDA_SUCCESS;
    };
    table.eventCreate = [](CUevent* event, unsigned) {
        *event = reinterpret_cast<CUevent>(3);
        return world.eventCreationFails ? CUDA_ERROR_OUT_OF_MEMORY : CUDA_SUCCESS;
    };
    table.eventDestroy = [](CUevent) { return CUDA_SUCCESS; };
    table.eventRecord = [](CUevent, CUstream stream) {
        const std::lock_guard lock(mutex);
        note(stream == reinterpret_cast<CUstream>(2) ? "own stream is recorded" : "rank's stream is recorded");
        return CUDA_SUCCESS;
    };
    table.eventQuery = [](CUevent) { return CUDA_SUCCESS; };
    table.memAlloc = [](CUdeviceptr* address, std::size_t size) {
        *address = reinterpret_cast<CUdeviceptr>(::operator new(size));
        std::memset(reinterpret_cast<void*>(*address), 0, size);
        return CUDA_SUCCESS;
    };
    table.memFree = [](CUdeviceptr address) {
        ::operator delete(reinterpret_cast<void*>(address));
        return CUDA_SUCCESS;
    };
    table.errorString = [](CUresult, const char** text) {
        *text = "out of memory";
        return CUDA_SUCCESS;
    };
    return table;
}

} // namespace

const NcclRuntime& simulatedNccl()
{
    static const NcclRuntime table = makeTable();
    return table;
}

SimulatedNccl& resetSimulatedNccl()
{
    const std::lock_guard lock(mutex);
    world = {};
    cliques.clear();
    return world;
}

int abortedCommunicators()
{
    const std::lock_guard lock(mutex);
    return world.aborted;
}

} // namespace millrace::collective::test
