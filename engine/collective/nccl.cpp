// NCCL never holds a thread of ours: the communicator is not blocking, so that each call returns and what goes on is
// asked for, and a rank that is lost ends the wait. Kernels that wait for a lost rank's data end when the roll call
// aborts the communicator; then the rank's stream goes on, and status() says why its numbers are worth nothing.
//
// Operations run on a stream of their own, so that they overlap with what the rank computes. Nothing is asked of a
// stream or an event while operations are started and waited for (only records and waits), so a capture takes them in.
#include "engine/collective/meeting.h"
#include "engine/collective/nccl_runtime.h"
#include "engine/collective/roll_call.h"
#include "kernels/base/text.h"

#include <array>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <mutex>
#include <thread>

namespace millrace::collective {

namespace {

using namespace std::chrono_literals;

constexpr int kOldestVersion = 21400; // communicators that do not block
constexpr auto kPoll = 100us;

/// Whether the host's address is this machine's own.
bool isLoopback(std::string_view host)
{
    return host.starts_with("127.") || host == "localhost" || host == "::1";
}

class NcclGroup final : public Group
{
public:
    NcclGroup(const GroupSettings& settings, const NcclSettings& nccl, const NcclRuntime& runtime)
        : Group(settings.rank, settings.worldSize), m_settings(settings), m_runtime(runtime),
          m_compute(static_cast<CUstream>(nccl.stream))
    {
    }

    /// Meets the others and makes the communicator. Once; after an error the group can only be destroyed.
    Status connect();
    ~NcclGroup() override;

    Memory memory() const override { return Memory::Device; }
    Ticket startAllReduce(std::span<float> values) override;
    Ticket startReduceScatter(std::span<float> values) override;
    Ticket startAllGather(std::span<std::byte> values, std::size_t elementBytes) override;
    Ticket startBroadcast(std::span<std::byte> values, int root) override;
    Status wait(Ticket ticket) override;
    Status status() override;
    Status barrier() override;
    std::vector<Member> members() const override
    {
        return m_rollCall ? m_rollCall->members() : std::vector<Member>{{.started = m_started, .finished = m_started}};
    }

private:
    /// A started operation's end is the event of its number modulo so many; a later operation's end is behind it.
    static constexpr std::size_t kEvents = 64;
    using Calls = std::function<ncclResult_t(ncclComm_t, CUstream)>;

    Status prepareStreams();
    Status makeCommunicator(const ncclUniqueId& id);
    Result<ncclUniqueId> shareId(Meeting& meeting);
    Ticket start(const Calls& calls);
    Status enqueue(const Calls& calls, CUevent done);
    Status settle(ncclResult_t result, std::string_view what, Clock::time_point deadline);
    Status fail(ncclResult_t result, std::string_view what);
    Status fail(Error error, bool tell);
    Status cuda(CUresult result, std::string_view what);
    void abort();
    std::optional<Error> failure() const;
    CUevent done(std::uint64_t number) const { return m_done[number % kEvents]; }

    const GroupSettings m_settings;
    const NcclRuntime& m_runtime;
    CUstream m_compute, m_stream = nullptr;
    CUevent m_ready = nullptr; ///< what the rank has enqueued when an operation is started
    std::array<CUevent, kEvents> m_done{};
    CUdeviceptr m_word = 0; ///< what a barrier adds up
    std::atomic<std::uint64_t> m_started = 0;

    mutable std::mutex m_mutex; // guards what follows: the roll call aborts
    ncclComm_t m_communicator = nullptr;
    std::optional<Error> m_error;

    std::unique_ptr<RollCall> m_rollCall; ///< none for one rank
};

Status NcclGroup::cuda(CUresult result, std::string_view what)
{
    if (result == CUDA_SUCCESS) return {};
    const char* text = nullptr;
    m_runtime.errorString(result, &text);
    return fail(makeError(Code::Io, str("Cannot ", what, ": ", text ? text : "an unknown error", " (CUDA error ",
                                        static_cast<int>(result), ").")),
                true);
}

std::optional<Error> NcclGroup::failure() const
{
    const std::lock_guard lock(m_mutex);
    return m_error;
}

/// Keeps the first error and ends the communicator; with `tell`, lets the others know that this rank has failed.
Status NcclGroup::fail(Error error, bool tell)
{
    if (tell && m_rollCall) m_rollCall->report(-1, error.message);
    const std::lock_guard lock(m_mutex);
    if (!m_error) m_error = std::move(error);
    abort();
    return *m_error;
}

Status NcclGroup::fail(ncclResult_t result, std::string_view what)
{
    std::string detail;
    {
        const std::lock_guard lock(m_mutex);
        if (m_error) return *m_error;
        const char* last = m_runtime.getLastError(m_communicator);
        if (last && *last) detail = str(": ", last);
    }
    Error error = makeError(Code::Io, str("NCCL cannot ", what, ": ", m_runtime.getErrorString(result), detail, "."));
    // another rank's end shows here as well; the roll call knows its name
    const bool perhapsAnother = result == ncclRemoteError || result == ncclSystemError;
    if (!perhapsAnother || !m_rollCall) return fail(std::move(error), true);
    const std::string own = error.message;
    Error named = m_rollCall->awaitVerdict(std::move(error));
    const bool tell = named.message == own;
    return fail(std::move(named), tell);
}

/// With the mutex held. What still runs on the device ends.
void NcclGroup::abort()
{
    if (m_communicator) (void)m_runtime.commAbort(std::exchange(m_communicator, nullptr));
}

/// Waits until the communicator has done what it was told.
Status NcclGroup::settle(ncclResult_t result, std::string_view what, Clock::time_point deadline)
{
    while (result == ncclInProgress) {
        std::this_thread::sleep_for(kPoll);
        const std::lock_guard lock(m_mutex);
        if (m_error) return *m_error;
        if (Clock::now() > deadline) break;
        if (const auto asked = m_runtime.commGetAsyncError(m_communicator, &result); asked != ncclSuccess)
            result = asked;
    }
    if (result == ncclSuccess) return {};
    if (result == ncclInProgress) return fail(makeError(Code::Io, str("NCCL did not ", what, " in time.")), true);
    return fail(result, what);
}

Status NcclGroup::prepareStreams()
{
    CUcontext context = nullptr;
    MR_CHECK(cuda(m_runtime.streamGetCtx(m_compute, &context), "find the device of the stream"));
    MR_CHECK(cuda(m_runtime.ctxSetCurrent(context), "choose the device"));
    // a low number is a high priority, and what is out of range is moved into it
    MR_CHECK(cuda(m_runtime.streamCreateWithPriority(&m_stream, CU_STREAM_NON_BLOCKING, -100), "make a stream"));
    MR_CHECK(cuda(m_runtime.eventCreate(&m_ready, CU_EVENT_DISABLE_TIMING), "make an event"));
    for (CUevent& event : m_done)
        MR_CHECK(cuda(m_runtime.eventCreate(&event, CU_EVENT_DISABLE_TIMING), "make an event"));
    return cuda(m_runtime.memAlloc(&m_word, sizeof(float)), "allocate memory");
}

Result<ncclUniqueId> NcclGroup::shareId(Meeting& meeting)
{
    ncclUniqueId id{};
    if (rank() == 0)
        if (const auto made = m_runtime.getUniqueId(&id); made != ncclSuccess)
            return makeError(Code::Io, str("NCCL cannot make the group's id: ", m_runtime.getErrorString(made), "."));
    MR_TRY(const auto given, meeting.exchange({id.internal, sizeof id.internal}));
    if (given[0].size() != sizeof id.internal)
        return makeError(Code::Io, "Rank 0 sent no id of a group of GPUs: it makes another kind of group.");
    std::memcpy(id.internal, given[0].data(), sizeof id.internal);
    return id;
}

Status NcclGroup::makeCommunicator(const ncclUniqueId& id)
{
    ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
    config.blocking = 0;
    ncclResult_t result = ncclSuccess;
    {
        const std::lock_guard lock(m_mutex);
        if (m_error) return *m_error;
        result = m_runtime.commInitRankConfig(&m_communicator, worldSize(), id, rank(), &config);
    }
    return settle(result, "connect the ranks", Clock::now() + m_settings.join);
}

Status NcclGroup::connect()
{
    int version = 0;
    if (m_runtime.getVersion(&version) != ncclSuccess || version < kOldestVersion)
        return makeError(Code::Unsupported, str("NCCL 2.14 or newer is needed, and libnccl.so.2 is of version ",
                                                version / 10000, ".", version / 100 % 100, "."));
    if (isLoopback(m_settings.host)) ::setenv("NCCL_SOCKET_IFNAME", "lo", 0);
    MR_CHECK(prepareStreams());
    if (worldSize() == 1) {
        ncclUniqueId id{};
        MR_CHECK(settle(m_runtime.getUniqueId(&id), "make an id", Clock::now()));
        return makeCommunicator(id);
    }
    MR_TRY(Meeting meeting, Meeting::hold(m_settings));
    MR_TRY(const ncclUniqueId id, shareId(meeting));
    m_rollCall = std::make_unique<RollCall>(
        std::move(meeting),
        [this] {
            return Beat{m_started, m_started, -1};
        },
        [this](const Error& verdict) { (void)fail(verdict, false); });
    return makeCommunicator(id);
}

NcclGroup::~NcclGroup()
{
    ncclResult_t result = ncclSuccess;
    bool working = false;
    {
        const std::lock_guard lock(m_mutex);
        working = m_communicator != nullptr;
        if (working) result = m_runtime.commFinalize(m_communicator);
    }
    const bool ended = working && settle(result, "end the group", Clock::now() + m_settings.silence).has_value();
    m_rollCall.reset();
    if (ended) (void)m_runtime.commDestroy(m_communicator);
    if (m_word) (void)m_runtime.memFree(m_word);
    for (const CUevent event : m_done)
        if (event) (void)m_runtime.eventDestroy(event);
    if (m_ready) (void)m_runtime.eventDestroy(m_ready);
    if (m_stream) (void)m_runtime.streamDestroy(m_stream);
}

Ticket NcclGroup::start(const Calls& calls)
{
    const std::uint64_t number = ++m_started;
    if (!failure()) (void)enqueue(calls, done(number)); // an error is kept for wait() and status()
    return {number};
}

/// Behind all that the rank has enqueued so far; `done` is the end.
Status NcclGroup::enqueue(const Calls& calls, CUevent done)
{
    MR_CHECK(cuda(m_runtime.eventRecord(m_ready, m_compute), "record an event"));
    MR_CHECK(cuda(m_runtime.streamWaitEvent(m_stream, m_ready, 0), "order two streams"));
    ncclResult_t result = ncclSuccess;
    {
        const std::lock_guard lock(m_mutex);
        if (m_error) return *m_error;
        result = m_runtime.groupStart();
        const auto called = result == ncclSuccess ? calls(m_communicator, m_stream) : ncclSuccess;
        if (result == ncclSuccess) result = m_runtime.groupEnd();
        if (called != ncclSuccess && called != ncclInProgress) result = called;
    }
    MR_CHECK(settle(result, "start an operation", Clock::now() + m_settings.operation));
    return cuda(m_runtime.eventRecord(done, m_stream), "record an event");
}

Ticket NcclGroup::startAllReduce(std::span<float> values)
{
    return start([&](ncclComm_t communicator, CUstream stream) {
        return m_runtime.allReduce(values.data(), values.data(), values.size(), ncclFloat32, ncclSum, communicator,
                                   stream);
    });
}

/// Equal shards in one call; what remains goes to the last rank by a second one of the same group.
Ticket NcclGroup::startReduceScatter(std::span<float> values)
{
    return start([&](ncclComm_t communicator, CUstream stream) {
        const std::size_t part = shardOf(values.size(), worldSize(), 0).size();
        const auto rest = values.subspan(part * static_cast<std::size_t>(worldSize()));
        ncclResult_t result = ncclSuccess;
        if (part > 0)
            result = m_runtime.reduceScatter(values.data(), values.data() + static_cast<std::size_t>(rank()) * part,
                                             part, ncclFloat32, ncclSum, communicator, stream);
        if (!rest.empty() && (result == ncclSuccess || result == ncclInProgress))
            result = m_runtime.reduce(rest.data(), rest.data(), rest.size(), ncclFloat32, ncclSum, worldSize() - 1,
                                      communicator, stream);
        return result;
    });
}

Ticket NcclGroup::startAllGather(std::span<std::byte> values, std::size_t elementBytes)
{
    return start([&, elementBytes](ncclComm_t communicator, CUstream stream) {
        const std::size_t elements = values.size() / elementBytes;
        const std::size_t part = shardOf(elements, worldSize(), 0).size() * elementBytes;
        const auto rest = values.subspan(part * static_cast<std::size_t>(worldSize()));
        ncclResult_t result = ncclSuccess;
        if (part > 0)
            result = m_runtime.allGather(values.data() + static_cast<std::size_t>(rank()) * part, values.data(), part,
                                         ncclInt8, communicator, stream);
        if (!rest.empty() && (result == ncclSuccess || result == ncclInProgress))
            result = m_runtime.broadcast(rest.data(), rest.data(), rest.size(), ncclInt8, worldSize() - 1, communicator,
                                         stream);
        return result;
    });
}

Ticket NcclGroup::startBroadcast(std::span<std::byte> values, int root)
{
    return start([&, root](ncclComm_t communicator, CUstream stream) {
        return m_runtime.broadcast(values.data(), values.data(), values.size(), ncclInt8, root, communicator, stream);
    });
}

Status NcclGroup::wait(Ticket ticket)
{
    if (auto error = failure()) return *std::move(error);
    return cuda(m_runtime.streamWaitEvent(m_compute, done(ticket.number), 0), "order two streams");
}

Status NcclGroup::status()
{
    ncclResult_t result = ncclSuccess;
    {
        const std::lock_guard lock(m_mutex);
        if (m_error) return *m_error;
        const auto asked = m_runtime.commGetAsyncError(m_communicator, &result);
        if (asked != ncclSuccess) result = asked;
    }
    if (result == ncclSuccess || result == ncclInProgress) return {};
    return fail(result, "go on");
}

Status NcclGroup::barrier()
{
    const Ticket ticket = startAllReduce({reinterpret_cast<float*>(m_word), 1});
    for (;;) {
        MR_CHECK(status());
        const CUresult reached = m_runtime.eventQuery(done(ticket.number));
        if (reached == CUDA_SUCCESS) return {};
        if (reached != CUDA_ERROR_NOT_READY) return cuda(reached, "wait for an event");
        std::this_thread::sleep_for(kPoll);
    }
}

} // namespace

Result<std::unique_ptr<Group>> createNcclGroup(const GroupSettings& settings, const NcclSettings& nccl,
                                               const NcclRuntime& runtime)
{
    MR_CHECK(checkSettings(settings));
    if (settings.worldSize == 1 && !nccl.evenAlone) return soleRank(Memory::Device);
    auto group = std::make_unique<NcclGroup>(settings, nccl, runtime);
    MR_CHECK(group->connect());
    return std::unique_ptr<Group>(std::move(group));
}

} // namespace millrace::collective
