#include "engine/collective/nccl_runtime.h"

#include "kernels/base/text.h"

#include <dlfcn.h>

namespace millrace::collective {

namespace {

/// Keeps the first error of a row of look-ups.
class Library
{
public:
    Library(const char* name, std::string_view whose) : m_name(name), m_library(::dlopen(name, RTLD_NOW | RTLD_LOCAL))
    {
        if (m_library) return;
        const char* reason = ::dlerror();
        m_error =
            makeError(Code::Unsupported, str("Several GPUs need ", name,
                                             ", which is missing: ", reason ? reason : "it cannot be loaded", "."))
                .advise(str("Install ", whose, ", or train on one GPU."));
    }

    template <class Function> void find(Function& function, const char* symbol)
    {
        if (m_error) return;
        function = reinterpret_cast<Function>(::dlsym(m_library, symbol));
        if (!function)
            m_error = makeError(Code::Unsupported, str(m_name, " has no function ", symbol, ": it is too old."))
                          .advise("Install a newer version.");
    }

    const std::optional<Error>& error() const { return m_error; }

private:
    const char* m_name;
    void* m_library; // never unloaded: communicators may have threads in it
    std::optional<Error> m_error;
};

} // namespace

Result<NcclRuntime> loadNccl(const char* ncclName, const char* driverName)
{
    NcclRuntime table{};
    Library nccl(ncclName, "NCCL 2.14 or newer (libnccl2)");
    nccl.find(table.getVersion, "ncclGetVersion");
    nccl.find(table.getUniqueId, "ncclGetUniqueId");
    nccl.find(table.commInitRankConfig, "ncclCommInitRankConfig");
    nccl.find(table.commFinalize, "ncclCommFinalize");
    nccl.find(table.commDestroy, "ncclCommDestroy");
    nccl.find(table.commAbort, "ncclCommAbort");
    nccl.find(table.commGetAsyncError, "ncclCommGetAsyncError");
    nccl.find(table.getErrorString, "ncclGetErrorString");
    nccl.find(table.getLastError, "ncclGetLastError");
    nccl.find(table.groupStart, "ncclGroupStart");
    nccl.find(table.groupEnd, "ncclGroupEnd");
    nccl.find(table.allReduce, "ncclAllReduce");
    nccl.find(table.reduceScatter, "ncclReduceScatter");
    nccl.find(table.reduce, "ncclReduce");
    nccl.find(table.allGather, "ncclAllGather");
    nccl.find(table.broadcast, "ncclBroadcast");
    if (nccl.error()) return *nccl.error();
    Library driver(driverName, "the NVIDIA driver");
    driver.find(table.streamGetCtx, "cuStreamGetCtx");
    driver.find(table.ctxSetCurrent, "cuCtxSetCurrent");
    driver.find(table.streamCreateWithPriority, "cuStreamCreateWithPriority");
    driver.find(table.streamDestroy, "cuStreamDestroy_v2");
    driver.find(table.streamWaitEvent, "cuStreamWaitEvent");
    driver.find(table.eventCreate, "cuEventCreate");
    driver.find(table.eventDestroy, "cuEventDestroy_v2");
    driver.find(table.eventRecord, "cuEventRecord");
    driver.find(table.eventQuery, "cuEventQuery");
    driver.find(table.memAlloc, "cuMemAlloc_v2");
    driver.find(table.memFree, "cuMemFree_v2");
    driver.find(table.errorString, "cuGetErrorString");
    if (driver.error()) return *driver.error();
    return table;
}

Result<std::unique_ptr<Group>> createNcclGroup(const GroupSettings& settings, const NcclSettings& nccl)
{
    MR_CHECK(checkSettings(settings));
    if (settings.worldSize == 1 && !nccl.evenAlone) return soleRank(Memory::Device);
    static const Result<NcclRuntime> runtime = loadNccl();
    if (!runtime) return runtime.error();
    return createNcclGroup(settings, nccl, *runtime);
}

} // namespace millrace::collective
