#include "kernels/cuda/convolution.h"

namespace millrace::kernels::cuda {

Result<Network> makeConvolution(Context& context, NetworkGraph::Convolution kind, const Conv2d& conv, DType type,
                                bool bias)
{
    const EngineRules rules{.exactF32 = type == DType::F32 && conv.precision == Precision::F32};
    return Network::create(context, convolutionKey(kind, conv, type, bias), rules,
                           [&](NetworkGraph& graph) { return buildConvolution(graph, kind, conv, type, bias); });
}

} // namespace millrace::kernels::cuda
