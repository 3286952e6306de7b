#include "kernels/cuda/network.h"

#include "kernels/base/text.h"
#include "kernels/cuda/algorithm_cache.h"
#include "kernels/cuda/fastest.h"

#include <algorithm>
#include <optional>
#include <vector>

namespace millrace::kernels::cuda {

namespace {

constexpr std::uint64_t kWorkspaceAlignment = 256;

Status execute(Context& context, const NetworkPlan& plan, const NetworkGraph& graph,
               std::span<const void* const> tensors, std::byte* scratch)
{
    std::vector<std::int64_t> ids;
    std::vector<const void*> pointers;
    for (std::size_t id = 0; id < graph.tensors().size(); ++id) {
        const GraphTensor& tensor = graph.tensors()[id];
        if (tensor.isVirtual) continue;
        ids.push_back(static_cast<std::int64_t>(id));
        pointers.push_back(tensor.value ? &*tensor.value : tensors[id]);
    }
    const auto address = reinterpret_cast<std::uintptr_t>(scratch);
    std::byte* workspace = scratch + (kWorkspaceAlignment - address % kWorkspaceAlignment) % kWorkspaceAlignment;
    MR_TRY(const Descriptor pack,
           makeDescriptor(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR,
                          {{CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, ids},
                           Attribute(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR,
                                     static_cast<std::int64_t>(pointers.size()), pointers.data()),
                           {CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, &workspace}}));
    return context.asStatus(context.runtime().cudnnBackendExecute(context.networks(), plan.plan.get(), pack.get()),
                            "running a graph");
}

} // namespace

struct Network::Prepared
{
    NetworkGraph graph;
    NetworkPlan plan;
};

Network::Network(Context& context, std::shared_ptr<const Prepared> prepared)
    : m_context(&context), m_prepared(std::move(prepared))
{
}

Result<std::shared_ptr<const Network::Prepared>> Network::prepare(Context& context, const std::string& key,
                                                                  const EngineRules& rules,
                                                                  const std::function<Status(NetworkGraph&)>& build)
{
    auto prepared = std::make_shared<Prepared>();
    MR_CHECK(build(prepared->graph));
    MR_CHECK(prepared->graph.finalize());
    MR_TRY(auto engines, proposeEngines(prepared->graph, rules));
    const int places = static_cast<int>(engines.size());

    AlgorithmCache& cache = context.algorithms();
    if (const auto known = cache.measures() ? cache.find(key, places) : std::nullopt) {
        if (auto plan = makePlan(std::move(engines[static_cast<std::size_t>(known->place)]))) {
            prepared->plan = std::move(plan).value();
            return std::shared_ptr<const Prepared>(std::move(prepared));
        }
        MR_TRY(engines, proposeEngines(prepared->graph, rules)); // it worked when it was measured; now others are
    }
    std::vector<NetworkPlan> plans; // of places that have none: empty
    Error refusal = makeError(Code::Unsupported, str("cuDNN's engines for the ", key, " need too much memory."));
    std::uint64_t workspaceBytes = 0;
    bool any = false;
    for (Descriptor& engine : engines) {
        auto plan = makePlan(std::move(engine));
        if (!plan) refusal = plan.error();
        const bool fits = plan && plan->workspaceBytes <= rules.mostWorkspaceBytes;
        plans.push_back(fits ? std::move(plan).value() : NetworkPlan{});
        workspaceBytes = std::max(workspaceBytes, plans.back().workspaceBytes);
        any = any || fits;
        if (fits && !cache.measures()) break;
    }
    if (!any) return refusal;
    const auto isReady = [](const NetworkPlan& plan) { return plan.plan != nullptr; };
    auto best = std::find_if(plans.begin(), plans.end(), isReady);
    if (std::count_if(plans.begin(), plans.end(), isReady) > 1) {
        Layout memory;
        std::vector<std::uint64_t> offsets;
        for (const GraphTensor& tensor : prepared->graph.tensors()) offsets.push_back(memory.add(tensor.sizeBytes()));
        const std::uint64_t atScratch = memory.add(workspaceBytes + kWorkspaceAlignment);
        MR_TRY(const int place, chooseFastest(context, key, static_cast<int>(plans.size()), memory.sizeBytes(),
                                              [&](int candidate, std::byte* at) -> Status {
                                                  const NetworkPlan& plan = plans[static_cast<std::size_t>(candidate)];
                                                  if (!plan.plan) return Error(refusal);
                                                  std::vector<const void*> tensors;
                                                  for (const std::uint64_t offset : offsets)
                                                      tensors.push_back(at + offset);
                                                  return execute(context, plan, prepared->graph, tensors,
                                                                 at + atScratch);
                                              }));
        if (plans[static_cast<std::size_t>(place)].plan) best = plans.begin() + place;
    }
    prepared->plan = std::move(*best);
    return std::shared_ptr<const Prepared>(std::move(prepared));
}

Result<Network> Network::create(Context& context, const std::string& key, const EngineRules& rules,
                                const std::function<Status(NetworkGraph&)>& build)
{
    std::shared_ptr<const void>& shared = context.algorithms().prepared(key);
    if (!shared) {
        MR_TRY(shared, prepare(context, key, rules, build));
    }
    return Network(context, std::static_pointer_cast<const Prepared>(shared));
}

std::uint64_t Network::scratchBytes() const
{
    const std::uint64_t bytes = m_prepared->plan.workspaceBytes;
    return bytes == 0 ? 0 : bytes + kWorkspaceAlignment;
}

std::size_t Network::tensorCount() const
{
    return m_prepared->graph.tensors().size();
}

Status Network::run(std::span<const void* const> tensors, std::byte* scratch) const
{
    return execute(*m_context, m_prepared->plan, m_prepared->graph, tensors, scratch);
}

} // namespace millrace::kernels::cuda
