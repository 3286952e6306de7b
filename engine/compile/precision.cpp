#include "engine/compile/precision.h"

#include "engine/graph/operations.h"
#include "kernels/base/text.h"

#include <algorithm>

namespace millrace::compile {

Result<graph::Graph> withPrecision(graph::Graph forward, const std::string& precision)
{
    bool any = false;
    for (std::size_t i = 0; i < forward.operations().size(); ++i) {
        graph::Operation& operation = forward.operation(i);
        MR_TRY(const graph::OperationKind* kind, graph::findKind(operation.kind));
        if (std::ranges::find(kind->attributes, "precision") == kind->attributes.end()) continue;
        operation.attributes["precision"] = precision;
        any = true;
    }
    if (any) return forward;
    return makeError(Code::Unsupported, str("No layer of this model can compute in ", precision, "."))
        .advise("Choose the precision f32.");
}

} // namespace millrace::compile
