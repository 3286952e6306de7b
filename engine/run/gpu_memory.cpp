#include "engine/run/gpu_memory.h"

#include "engine/pipeline/catalogue.h"
#include "engine/plan/memory.h"
#include "kernels/base/text.h"
#include "kernels/base/units.h"

#include <optional>

namespace millrace::run {

namespace {

constexpr const char* kAccumulation = "gradient_accumulation";

std::map<std::string, plan::TrainingMemory> onDevice(const pipeline::Document& document,
                                                     const pipeline::Catalogue& catalogue,
                                                     const pipeline::CheckReport& report)
{
    return plan::trainingMemory(document, catalogue, report, plan::Machine::Gpu);
}

std::string shown(std::uint64_t bytes)
{
    return formatBytes(static_cast<double>(bytes));
}

/// The node's memory with as much accumulation as makes it fit, set in the document; nothing where none does.
std::optional<std::uint64_t> raised(pipeline::Document& document, pipeline::Node& node, const pipeline::NodeSpec& spec,
                                    const pipeline::Catalogue& catalogue, const pipeline::CheckReport& report,
                                    std::uint64_t freeBytes)
{
    const auto whole = [&](const char* id) { return pipeline::paramValue(node, spec, id).get<std::int64_t>(); };
    while (const std::int64_t accumulation = nextAccumulation(whole("batch_size"), whole(kAccumulation))) {
        node.params[kAccumulation] = accumulation;
        const auto memory = onDevice(document, catalogue, report);
        const auto found = memory.find(node.id);
        if (found == memory.end()) return std::nullopt;
        if (found->second.total() <= freeBytes) return found->second.total();
    }
    return std::nullopt;
}

} // namespace

std::int64_t nextAccumulation(std::int64_t batch, std::int64_t accumulation)
{
    if (batch % (2 * accumulation) == 0) return 2 * accumulation;
    for (std::int64_t next = accumulation + 1; next <= batch; ++next)
        if (batch % next == 0) return next;
    return 0;
}

Result<std::vector<std::string>> fitIntoMemory(pipeline::Document& document, const pipeline::Catalogue& catalogue,
                                               const pipeline::CheckReport& report, std::uint64_t freeBytes, bool fit)
{
    std::vector<std::string> changes;
    for (const auto& [id, memory] : onDevice(document, catalogue, report)) {
        const std::uint64_t needed = memory.total();
        if (needed <= freeBytes) continue;
        pipeline::Document other = document;
        pipeline::Node& node = *other.find(id);
        const auto fitting = raised(other, node, *catalogue.find(node.type), catalogue, report, freeBytes);
        const std::string sentence = fitting
                                         ? str("gradient_accumulation ", node.params[kAccumulation].get<std::int64_t>(),
                                               " needs ", shown(*fitting))
                                         : std::string();
        if (fitting && fit) {
            changes.push_back(str("Training ", id, " would need ", shown(needed), " of the GPU's memory, which has ",
                                  shown(freeBytes), " free; its batches are divided: ", sentence, "."));
            document = std::move(other);
            continue;
        }
        return makeError(Code::OutOfMemory,
                         str("Training would need ", shown(needed), " of the GPU's memory, ", shown(memory.activations),
                             " of it for activations, but it has ", shown(freeBytes), " free."))
            .atNode(id)
            .advise(fitting ? str("Set ", sentence, ", or run with --fit-memory. A smaller batch fits as well.")
                            : std::string("Not even one row at a time fits. Take a smaller model, an optimizer that "
                                          "keeps less, or recompute blocks."));
    }
    return changes;
}

} // namespace millrace::run
