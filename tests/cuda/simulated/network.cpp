// The arithmetic of a graph: each operation reads its operands as doubles in the order of their dimensions and writes
// its result once, rounded to its type. Sums of products are f32.
#include "tests/cuda/simulated/network.h"

#include "kernels/base/text.h"
#include "tests/cuda/simulated/elements.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

namespace millrace::kernels::cuda::simulated {

namespace {

using Kind = NetworkOperation::Kind;
using Numbers = std::vector<double>;
using Sizes = std::vector<std::int64_t>;

std::optional<DType> elementType(cudnnDataType_t type)
{
    switch (type) {
    case CUDNN_DATA_FLOAT:
        return DType::F32;
    case CUDNN_DATA_BFLOAT16:
        return DType::BF16;
    case CUDNN_DATA_HALF:
        return DType::F16;
    case CUDNN_DATA_INT32:
        return DType::I32;
    case CUDNN_DATA_INT64:
        return DType::I64;
    case CUDNN_DATA_BOOLEAN:
        return DType::U8;
    default:
        return std::nullopt;
    }
}

/// The window of a convolution: sizes of x (N,C,H,W), weight (K,C/G,R,S) and y (N,K,P,Q).
std::string checkConvolution(const NetworkOperation& operation, const NetworkTensor& x, const NetworkTensor& weight,
                             const NetworkTensor& y)
{
    for (const NetworkTensor* tensor : {&x, &weight, &y}) {
        if (tensor->dimensions.size() != 4) return "a convolution of other than four dimensions";
    }
    const Sizes &dx = x.dimensions, &dw = weight.dimensions, &dy = y.dimensions;
    bool fits = dx[0] == dy[0] && dw[0] == dy[1] && dx[1] % dw[1] == 0 && dw[0] % (dx[1] / dw[1]) == 0;
    for (std::size_t i = 0; i < 2; ++i) {
        const std::int64_t window = operation.dilation[i] * (dw[2 + i] - 1) + 1;
        fits = fits && dy[2 + i] == (dx[2 + i] + 2 * operation.padding[i] - window) / operation.stride[i] + 1;
    }
    return fits ? std::string() : "a convolution whose sizes do not fit";
}

/// Whether `part` can stand for `whole`: the same sizes, or 1.
bool broadcasts(const Sizes& part, const Sizes& whole)
{
    if (part.size() != whole.size()) return false;
    for (std::size_t i = 0; i < part.size(); ++i) {
        if (part[i] != whole[i] && part[i] != 1) return false;
    }
    return true;
}

std::string checkShapes(const NetworkOperation& operation)
{
    const std::vector<NetworkTensor>& in = operation.inputs;
    const NetworkTensor& out = operation.output;
    switch (operation.kind) {
    case Kind::ConvolutionForward:
        return checkConvolution(operation, in[0], in[1], out);
    case Kind::ConvolutionData:
        return checkConvolution(operation, out, in[0], in[1]);
    case Kind::ConvolutionWeights:
        return checkConvolution(operation, in[0], out, in[1]);
    case Kind::Pointwise:
        for (const NetworkTensor& input : in) {
            if (!broadcasts(input.dimensions, out.dimensions)) return "an operand that does not spread to the result";
        }
        return {};
    case Kind::Reduction:
        return broadcasts(out.dimensions, in[0].dimensions) ? "" : "a reduction whose sizes do not fit";
    case Kind::Product: {
        const Sizes &a = in[0].dimensions, &b = in[1].dimensions, &c = out.dimensions;
        const std::size_t n = c.size();
        bool fits = n >= 2 && a.size() == n && b.size() == n && a[n - 1] == b[n - 2] && a[n - 2] == c[n - 2] &&
                    b[n - 1] == c[n - 1];
        for (std::size_t i = 0; fits && i + 2 < n; ++i) fits = a[i] == c[i] && b[i] == c[i];
        return fits ? "" : "a product whose sizes do not fit";
    }
    case Kind::Reshape:
        return out.elements() == in[0].elements() && out.span() <= in[0].span() ? "" : "a reshape of another size";
    }
    return {};
}

} // namespace

std::int64_t NetworkTensor::elements() const
{
    std::int64_t product = 1;
    for (const std::int64_t size : dimensions) product *= size;
    return product;
}

std::int64_t NetworkTensor::span() const
{
    std::int64_t last = 0;
    for (std::size_t i = 0; i < dimensions.size(); ++i) last += (dimensions[i] - 1) * strides[i];
    return last + 1;
}

std::vector<NetworkTensor> NetworkProgram::tensors() const
{
    std::map<std::int64_t, NetworkTensor> found;
    for (const NetworkOperation& operation : operations) {
        for (const NetworkTensor& input : operation.inputs) found.emplace(input.id, input);
        found.emplace(operation.output.id, operation.output);
    }
    std::vector<NetworkTensor> result;
    for (auto& [id, tensor] : found) result.push_back(std::move(tensor));
    return result;
}

std::optional<NetworkTensor> describeTensor(const Descriptor* tensor)
{
    if (tensor == nullptr || tensor->type != CUDNN_BACKEND_TENSOR_DESCRIPTOR) return std::nullopt;
    const auto type = elementType(tensor->value<cudnnDataType_t>(CUDNN_ATTR_TENSOR_DATA_TYPE));
    if (!type) return std::nullopt;
    NetworkTensor result;
    result.id = tensor->value<std::int64_t>(CUDNN_ATTR_TENSOR_UNIQUE_ID);
    result.alignment = std::max<std::int64_t>(1, tensor->value<std::int64_t>(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT));
    result.type = *type;
    result.dimensions = tensor->list<std::int64_t>(CUDNN_ATTR_TENSOR_DIMENSIONS);
    result.strides = tensor->list<std::int64_t>(CUDNN_ATTR_TENSOR_STRIDES);
    result.isVirtual = tensor->value<char>(CUDNN_ATTR_TENSOR_IS_VIRTUAL) != 0;
    result.isByValue = tensor->value<char>(CUDNN_ATTR_TENSOR_IS_BY_VALUE) != 0;
    return result;
}

std::optional<NetworkOperation> describeOperation(const Descriptor& operation, std::string& why)
{
    NetworkOperation result{};
    const Descriptor* function = nullptr;
    const auto read = [&](Kind kind, cudnnBackendAttributeName_t of, std::vector<cudnnBackendAttributeName_t> inputs,
                          cudnnBackendAttributeName_t output) {
        result.kind = kind;
        function = descriptorIn(operation, of);
        for (const auto name : inputs) {
            if (!operation.attributes.contains(name)) continue;
            const auto tensor = describeTensor(descriptorIn(operation, name));
            if (!tensor) why = "an operand that is no tensor";
            result.inputs.push_back(tensor.value_or(NetworkTensor{}));
        }
        const auto tensor = describeTensor(descriptorIn(operation, output));
        if (!tensor) why = "a result that is no tensor";
        result.output = tensor.value_or(NetworkTensor{});
    };
    switch (operation.type) {
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR:
        read(Kind::ConvolutionForward, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
             {CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W},
             CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y);
        break;
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR:
        read(Kind::ConvolutionData, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
             {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY},
             CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX);
        break;
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR:
        read(Kind::ConvolutionWeights, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
             {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY},
             CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW);
        break;
    case CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR:
        read(Kind::Pointwise, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR,
             {CUDNN_ATTR_OPERATION_POINTWISE_XDESC, CUDNN_ATTR_OPERATION_POINTWISE_BDESC,
              CUDNN_ATTR_OPERATION_POINTWISE_TDESC},
             CUDNN_ATTR_OPERATION_POINTWISE_YDESC);
        break;
    case CUDNN_BACKEND_OPERATION_REDUCTION_DESCRIPTOR:
        read(Kind::Reduction, CUDNN_ATTR_OPERATION_REDUCTION_DESC, {CUDNN_ATTR_OPERATION_REDUCTION_XDESC},
             CUDNN_ATTR_OPERATION_REDUCTION_YDESC);
        break;
    case CUDNN_BACKEND_OPERATION_MATMUL_DESCRIPTOR:
        read(Kind::Product, CUDNN_ATTR_OPERATION_MATMUL_DESC,
             {CUDNN_ATTR_OPERATION_MATMUL_ADESC, CUDNN_ATTR_OPERATION_MATMUL_BDESC}, CUDNN_ATTR_OPERATION_MATMUL_CDESC);
        break;
    default:
        read(Kind::Reshape, CUDNN_ATTR_OPERATION_RESHAPE_XDESC, {CUDNN_ATTR_OPERATION_RESHAPE_XDESC},
             CUDNN_ATTR_OPERATION_RESHAPE_YDESC);
        break;
    }
    if (why.empty() && function == nullptr) why = "an operation whose description is gone";
    if (!why.empty()) return std::nullopt;
    if (result.kind <= Kind::ConvolutionWeights) {
        const auto pair = [&](cudnnBackendAttributeName_t name) {
            const auto values = function->list<std::int64_t>(name);
            return values.size() == 2 ? std::array{values[0], values[1]} : std::array<std::int64_t, 2>{-1, -1};
        };
        result.padding = pair(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS);
        result.stride = pair(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES);
        result.dilation = pair(CUDNN_ATTR_CONVOLUTION_DILATIONS);
        if (pair(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS) != result.padding) why = "paddings that differ";
    }
    if (result.kind == Kind::Pointwise) result.mode = function->value<int>(CUDNN_ATTR_POINTWISE_MODE);
    if (result.kind == Kind::Reduction) result.mode = function->value<int>(CUDNN_ATTR_REDUCTION_OPERATOR);
    if (result.kind == Kind::Pointwise) result.axis = function->value<std::int64_t>(CUDNN_ATTR_POINTWISE_AXIS);
    if (why.empty()) why = checkShapes(result);
    return why.empty() ? std::optional(std::move(result)) : std::nullopt;
}

namespace {

/// Calls `work` with each place of a tensor: its number in the order of the dimensions, and its offset by strides.
void forEachPlace(const Sizes& dimensions, const Sizes& strides,
                  const std::function<void(std::size_t number, std::int64_t offset, const Sizes& at)>& work)
{
    Sizes at(dimensions.size(), 0);
    std::int64_t offset = 0;
    for (std::size_t number = 0;; ++number) {
        work(number, offset, at);
        std::size_t axis = dimensions.size();
        while (axis > 0 && at[axis - 1] + 1 == dimensions[axis - 1]) {
            --axis;
            offset -= at[axis] * strides[axis];
            at[axis] = 0;
        }
        if (axis == 0) return;
        ++at[axis - 1];
        offset += strides[axis - 1];
    }
}

/// Strides of rows as they come, 0 along sizes of 1: so that the tensor spreads.
Sizes spreading(const Sizes& dimensions)
{
    Sizes strides(dimensions.size());
    std::int64_t step = 1;
    for (std::size_t i = dimensions.size(); i-- > 0;) {
        strides[i] = dimensions[i] == 1 ? 0 : step;
        step *= dimensions[i];
    }
    return strides;
}

double apply(int mode, double x, double b, double t)
{
    switch (mode) {
    case CUDNN_POINTWISE_ADD:
        return x + b;
    case CUDNN_POINTWISE_SUB:
        return x - b;
    case CUDNN_POINTWISE_MUL:
        return x * b;
    case CUDNN_POINTWISE_DIV:
        return x / b;
    case CUDNN_POINTWISE_MAX:
        return std::max(x, b);
    case CUDNN_POINTWISE_EXP:
        return std::exp(x);
    case CUDNN_POINTWISE_LOG:
        return std::log(x);
    case CUDNN_POINTWISE_IDENTITY:
        return x;
    case CUDNN_POINTWISE_RELU_FWD:
        return std::max(x, 0.0);
    case CUDNN_POINTWISE_CMP_GE:
        return x >= b ? 1 : 0;
    case CUDNN_POINTWISE_BINARY_SELECT:
        return t != 0 ? x : b;
    default: // not simulated
        return std::numeric_limits<double>::quiet_NaN();
    }
}

double asTf32(double value)
{
    int exponent = 0;
    const double digits = std::frexp(value, &exponent);
    return std::ldexp(std::nearbyint(std::ldexp(digits, 11)), exponent - 11);
}

/// The tensors of a run, each in the order of its dimensions.
class Run
{
public:
    Run(const NetworkProgram& program, const std::map<std::int64_t, void*>& memory)
        : m_program(program), m_memory(memory)
    {
    }

    void operator()(const NetworkOperation& operation)
    {
        std::vector<Numbers> in;
        for (const NetworkTensor& input : operation.inputs) in.push_back(read(input));
        const bool multiplies = operation.kind <= Kind::ConvolutionWeights || operation.kind == Kind::Product;
        if (multiplies && m_program.roundsFactors) {
            for (Numbers& factor : in) std::ranges::transform(factor, factor.begin(), asTf32);
        }
        switch (operation.kind) {
        case Kind::ConvolutionForward:
        case Kind::ConvolutionData:
        case Kind::ConvolutionWeights:
            return write(operation.output, convolution(operation, in));
        case Kind::Pointwise:
            return write(operation.output, pointwise(operation, in));
        case Kind::Reduction:
            return write(operation.output, reduction(operation, in[0]));
        case Kind::Product:
            return write(operation.output, product(operation, in));
        case Kind::Reshape:
            return write(operation.output, reshaped(operation, in[0]));
        }
    }

private:
    Numbers read(const NetworkTensor& tensor) const
    {
        if (tensor.isVirtual) return m_virtual.at(tensor.id);
        Numbers values(static_cast<std::size_t>(tensor.elements()));
        const void* memory = m_memory.at(tensor.id);
        forEachPlace(tensor.dimensions, tensor.strides, [&](std::size_t number, std::int64_t offset, const Sizes&) {
            values[number] = loadElement(tensor.type, memory, offset);
        });
        return values;
    }

    void write(const NetworkTensor& tensor, const Numbers& values)
    {
        if (tensor.isVirtual) {
            Numbers& kept = m_virtual[tensor.id];
            kept.resize(values.size());
            for (std::size_t i = 0; i < values.size(); ++i) {
                std::uint64_t bits = 0;
                storeElement(tensor.type, &bits, 0, values[i]);
                kept[i] = loadElement(tensor.type, &bits, 0);
            }
            return;
        }
        void* memory = m_memory.at(tensor.id);
        forEachPlace(tensor.dimensions, tensor.strides, [&](std::size_t number, std::int64_t offset, const Sizes&) {
            storeElement(tensor.type, memory, offset, values[number]);
        });
    }

    /// All pairs of elements that a convolution multiplies, each with the element that their product belongs to.
    static Numbers convolution(const NetworkOperation& operation, const std::vector<Numbers>& in)
    {
        const bool isForward = operation.kind == Kind::ConvolutionForward,
                   isData = operation.kind == Kind::ConvolutionData;
        const Sizes& x = isData ? operation.output.dimensions : operation.inputs[0].dimensions;
        const Sizes& y = isForward ? operation.output.dimensions : operation.inputs[1].dimensions;
        const Sizes& w = isForward ? operation.inputs[1].dimensions
                         : isData  ? operation.inputs[0].dimensions
                                   : operation.output.dimensions;
        Numbers result(static_cast<std::size_t>(operation.output.elements()), 0.0);
        const std::int64_t groupOutputs = w[0] / (x[1] / w[1]);
        for (std::int64_t n = 0; n < x[0]; ++n)
            for (std::int64_t k = 0; k < w[0]; ++k)
                for (std::int64_t c = 0; c < w[1]; ++c)
                    for (std::int64_t r = 0; r < w[2]; ++r)
                        for (std::int64_t s = 0; s < w[3]; ++s)
                            for (std::int64_t p = 0; p < y[2]; ++p) {
                                const std::int64_t h =
                                    p * operation.stride[0] - operation.padding[0] + r * operation.dilation[0];
                                if (h < 0 || h >= x[2]) continue;
                                for (std::int64_t q = 0; q < y[3]; ++q) {
                                    const std::int64_t v =
                                        q * operation.stride[1] - operation.padding[1] + s * operation.dilation[1];
                                    if (v < 0 || v >= x[3]) continue;
                                    const std::int64_t channel = k / groupOutputs * w[1] + c;
                                    const auto ofX =
                                        static_cast<std::size_t>(((n * x[1] + channel) * x[2] + h) * x[3] + v);
                                    const auto ofW = static_cast<std::size_t>(((k * w[1] + c) * w[2] + r) * w[3] + s);
                                    const auto ofY = static_cast<std::size_t>(((n * y[1] + k) * y[2] + p) * y[3] + q);
                                    if (isForward)
                                        result[ofY] += in[0][ofX] * in[1][ofW];
                                    else if (isData)
                                        result[ofX] += in[0][ofW] * in[1][ofY];
                                    else
                                        result[ofW] += in[0][ofX] * in[1][ofY];
                                }
                            }
        return result;
    }

    static Numbers pointwise(const NetworkOperation& operation, const std::vector<Numbers>& in)
    {
        const Sizes& dimensions = operation.output.dimensions;
        std::vector<Sizes> strides;
        for (const NetworkTensor& input : operation.inputs) strides.push_back(spreading(input.dimensions));
        Numbers result(static_cast<std::size_t>(operation.output.elements()));
        forEachPlace(dimensions, dimensions, [&](std::size_t number, std::int64_t, const Sizes& at) {
            if (operation.mode == CUDNN_POINTWISE_GEN_INDEX) {
                result[number] = static_cast<double>(at[static_cast<std::size_t>(operation.axis)]);
                return;
            }
            std::array<double, 3> operands{};
            for (std::size_t i = 0; i < in.size(); ++i) {
                std::int64_t offset = 0;
                for (std::size_t axis = 0; axis < at.size(); ++axis) offset += at[axis] * strides[i][axis];
                operands[i] = in[i][static_cast<std::size_t>(offset)];
            }
            result[number] = apply(operation.mode, operands[0], operands[1], operands[2]);
        });
        return result;
    }

    static Numbers reduction(const NetworkOperation& operation, const Numbers& x)
    {
        const bool isMaximum = operation.mode == CUDNN_REDUCE_TENSOR_MAX;
        const Sizes strides = spreading(operation.output.dimensions);
        Numbers result(static_cast<std::size_t>(operation.output.elements()),
                       isMaximum ? -std::numeric_limits<double>::infinity() : 0.0);
        forEachPlace(operation.inputs[0].dimensions, strides,
                     [&](std::size_t number, std::int64_t offset, const Sizes&) {
                         double& target = result[static_cast<std::size_t>(offset)];
                         target = isMaximum ? std::max(target, x[number]) : target + x[number];
                     });
        return result;
    }

    static Numbers product(const NetworkOperation& operation, const std::vector<Numbers>& in)
    {
        const Sizes &a = operation.inputs[0].dimensions, &c = operation.output.dimensions;
        const std::int64_t M = c[c.size() - 2], N = c[c.size() - 1], K = a[a.size() - 1];
        Numbers result(static_cast<std::size_t>(operation.output.elements()));
        for (std::int64_t i = 0; i < operation.output.elements(); ++i) {
            const std::int64_t batch = i / (M * N), m = i / N % M, n = i % N;
            double sum = 0;
            for (std::int64_t k = 0; k < K; ++k)
                sum += in[0][static_cast<std::size_t>((batch * M + m) * K + k)] *
                       in[1][static_cast<std::size_t>((batch * K + k) * N + n)];
            result[static_cast<std::size_t>(i)] = static_cast<double>(static_cast<float>(sum));
        }
        return result;
    }

    /// The memory that x's strides describe, read by the result's.
    static Numbers reshaped(const NetworkOperation& operation, const Numbers& x)
    {
        const NetworkTensor &from = operation.inputs[0], &to = operation.output;
        Numbers memory(static_cast<std::size_t>(from.span()), std::numeric_limits<double>::quiet_NaN());
        forEachPlace(from.dimensions, from.strides, [&](std::size_t number, std::int64_t offset, const Sizes&) {
            memory[static_cast<std::size_t>(offset)] = x[number];
        });
        Numbers result(x.size());
        forEachPlace(to.dimensions, to.strides, [&](std::size_t number, std::int64_t offset, const Sizes&) {
            result[number] = memory[static_cast<std::size_t>(offset)];
        });
        return result;
    }

    const NetworkProgram& m_program;
    const std::map<std::int64_t, void*>& m_memory;
    std::map<std::int64_t, Numbers> m_virtual;
};

} // namespace

void runProgram(const NetworkProgram& program, const std::map<std::int64_t, void*>& memory)
{
    Run run(program, memory);
    for (const NetworkOperation& operation : program.operations) run(operation);
}

} // namespace millrace::kernels::cuda::simulated
