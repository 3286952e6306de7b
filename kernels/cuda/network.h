// A graph of cuDNN, planned once and run as often as wanted.
#pragma once

#include "kernels/cuda/context.h"
#include "kernels/cuda/cudnn_graph.h"

#include <functional>
#include <memory>
#include <span>
#include <string>

namespace millrace::kernels::cuda {

class Network
{
public:
    /// Builds the graph (if it is not ready in this process) and takes the fastest of the engines that cuDNN proposes,
    /// as chooseFastest does. `key` says all that the graph depends on.
    /// Errors: Unsupported where cuDNN has no engine for it; the device's.
    static Result<Network> create(Context& context, const std::string& key, const EngineRules& rules,
                                  const std::function<Status(NetworkGraph&)>& build);

    std::uint64_t scratchBytes() const; ///< little more than the rules allow
    std::size_t tensorCount() const;
    /// Enqueues it. tensors: by the order in which they were added to the graph, null for virtual ones; 16-byte
    /// aligned. scratch: scratchBytes(), 64-byte aligned.
    Status run(std::span<const void* const> tensors, std::byte* scratch) const;

private:
    struct Prepared;
    Network(Context& context, std::shared_ptr<const Prepared> prepared);
    static Result<std::shared_ptr<const Prepared>> prepare(Context& context, const std::string& key,
                                                           const EngineRules& rules,
                                                           const std::function<Status(NetworkGraph&)>& build);

    Context* m_context;
    std::shared_ptr<const Prepared> m_prepared; ///< shared by all kernels of the same dimensions: planning takes long
};

} // namespace millrace::kernels::cuda
