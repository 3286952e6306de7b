#include "engine/execute/place.h"

#include "engine/compile/fusion.h"
#include "engine/compile/storage.h"

namespace millrace::execute {

Result<compile::Program> planFor(graph::Graph graph, compile::Mode mode, const Place& place)
{
    if (place.device) {
        MR_TRY(graph, compile::withFusion(graph));
        if (place.storage != DType::F32) {
            MR_TRY(graph, compile::withStorage(graph, place.storage));
        }
    }
    return compile::plan(std::move(graph), mode);
}

} // namespace millrace::execute
