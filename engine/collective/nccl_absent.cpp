// The device group of a build without NCCL: one rank works, several are refused.
#include "engine/collective/nccl.h"

namespace millrace::collective {

Result<std::unique_ptr<Group>> createNcclGroup(const GroupSettings& settings, const NcclSettings& nccl)
{
    MR_CHECK(checkSettings(settings));
    if (settings.worldSize == 1 && !nccl.evenAlone) return soleRank(Memory::Device);
    return makeError(Code::Unsupported, "This Millrace was built without NCCL, which several GPUs need.")
        .advise("Build it where nccl.h is (libnccl-dev of NVIDIA's packages), or train on one GPU.");
}

} // namespace millrace::collective
