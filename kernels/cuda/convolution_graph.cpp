#include "kernels/cuda/convolution_graph.h"

#include "kernels/base/text.h"
#include "kernels/ops/check.h"

#include <algorithm>
#include <array>

namespace millrace::kernels::cuda {

std::string convolutionKey(NetworkGraph::Convolution kind, const Conv2d& c, DType type, bool bias)
{
    return str("convolution ", static_cast<int>(kind), ' ', name(type), " precision ", static_cast<int>(c.precision),
               bias ? " bias" : "", ' ', c.batch, 'x', c.height, 'x', c.width, 'x', c.channels, " to ",
               c.outputChannels, " by ", c.kernelHeight, 'x', c.kernelWidth, " groups ", c.groups, " stride ",
               c.strideHeight, ' ', c.strideWidth, " pad ", c.padHeight, ' ', c.padWidth, " dilation ",
               c.dilationHeight, ' ', c.dilationWidth);
}

Status buildConvolution(NetworkGraph& graph, NetworkGraph::Convolution kind, const Conv2d& c, DType type, bool bias)
{
    const GraphTensor image = GraphTensor::image(type, c.batch, c.outputHeight(), c.outputWidth(), c.outputChannels);
    MR_TRY(const std::int64_t x, graph.add(GraphTensor::image(type, c.batch, c.height, c.width, c.channels)));
    // (outputs, height, width, channels): an image for each output
    MR_TRY(const std::int64_t weight,
           graph.add(GraphTensor::image(type, c.outputChannels, c.kernelHeight, c.kernelWidth, c.channels / c.groups)));
    GraphTensor sums = image;
    if (bias) sums.type = CUDNN_DATA_FLOAT, sums.isVirtual = true;
    MR_TRY(const std::int64_t y, graph.add(sums));
    MR_CHECK(graph.convolution(kind, c, x, weight, y));
    if (!bias) return {};
    MR_TRY(const std::int64_t added, graph.add(GraphTensor::image(type, 1, 1, 1, c.outputChannels)));
    MR_TRY(const std::int64_t result, graph.add(image));
    return graph.pointwise(CUDNN_POINTWISE_ADD, std::array{y, added}, result);
}

} // namespace millrace::kernels::cuda
