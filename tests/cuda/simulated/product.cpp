#include "tests/cuda/simulated/product.h"

#include "kernels/base/text.h"
#include "tests/cuda/simulated/elements.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

namespace millrace::kernels::cuda::simulated {

std::optional<DType> elementType(std::int32_t type)
{
    switch (type) {
    case CUDA_R_32F:
        return DType::F32;
    case CUDA_R_16BF:
        return DType::BF16;
    case CUDA_R_16F:
        return DType::F16;
    default:
        return std::nullopt;
    }
}

namespace {

bool isKnownEpilogue(std::uint32_t epilogue)
{
    constexpr std::array kKnown{
        CUBLASLT_EPILOGUE_DEFAULT,  CUBLASLT_EPILOGUE_RELU,        CUBLASLT_EPILOGUE_RELU_AUX,
        CUBLASLT_EPILOGUE_BIAS,     CUBLASLT_EPILOGUE_RELU_BIAS,   CUBLASLT_EPILOGUE_RELU_AUX_BIAS,
        CUBLASLT_EPILOGUE_DRELU,    CUBLASLT_EPILOGUE_DRELU_BGRAD, CUBLASLT_EPILOGUE_GELU,
        CUBLASLT_EPILOGUE_GELU_AUX, CUBLASLT_EPILOGUE_GELU_BIAS,   CUBLASLT_EPILOGUE_GELU_AUX_BIAS,
        CUBLASLT_EPILOGUE_DGELU,    CUBLASLT_EPILOGUE_DGELU_BGRAD, CUBLASLT_EPILOGUE_BGRADA,
        CUBLASLT_EPILOGUE_BGRADB,
    };
    return std::ranges::find(kKnown, static_cast<cublasLtEpilogue_t>(epilogue)) != kKnown.end();
}

std::string checkTypes(const ProductCall& call)
{
    const Operation& o = call.operation;
    const auto a = elementType(call.a.type), d = elementType(call.d.type);
    if (!a || !d || call.a.type != call.b.type || call.c.type != call.d.type) return "types of A and B, or of C and D";
    if (*d != *a && *d != DType::F32) return "a D of another 16-bit type than A";
    if (o.scaleType != CUDA_R_32F) return "a scale type other than f32";
    switch (o.computeType) {
    case CUBLAS_COMPUTE_32F:
    case CUBLAS_COMPUTE_32F_PEDANTIC:
        break;
    case CUBLAS_COMPUTE_32F_FAST_16BF:
    case CUBLAS_COMPUTE_32F_FAST_16F:
    case CUBLAS_COMPUTE_32F_FAST_TF32:
        if (*a != DType::F32) return "a fast compute type for factors that are not f32";
        break;
    default:
        return "a compute type";
    }
    if (o.biasType != -1 && o.biasType != static_cast<std::int32_t>(call.d.type))
        return "a bias of another type than D";
    if (o.auxiliaryType != -1 && o.auxiliaryType != static_cast<std::int32_t>(call.d.type))
        return "an auxiliary matrix of another type than D";
    return {};
}

std::string checkEpilogue(const ProductCall& call)
{
    const Operation& o = call.operation;
    if (!isKnownEpilogue(o.epilogue)) return "an epilogue";
    if ((o.addsBias() || o.sumsGradient() || o.sumsFactor()) && o.bias == nullptr) return "a null bias";
    if (o.sumsFactor() && call.d.batch > 1) return "a factor's bias gradient of a batch";
    if (!o.hasAuxiliary()) return {};
    const std::int64_t step = o.isRelu() || o.isReluGradient() ? 128 : 8;
    if (o.auxiliary == nullptr) return "a null auxiliary matrix";
    if (o.auxiliaryLeading % step != 0 || o.auxiliaryLeading < call.rows())
        return str("an auxiliary matrix of leading dimension ", o.auxiliaryLeading, ", expected a multiple of ", step,
                   " not below ", call.rows());
    if (o.auxiliaryBatchStride % step != 0) return "an auxiliary matrix's batch stride";
    return {};
}

} // namespace

cublasStatus_t checkProduct(const ProductCall& call, std::string& why)
{
    const Operation& o = call.operation;
    for (const Layout* layout : {&call.a, &call.b, &call.c, &call.d}) {
        if (layout->order != CUBLASLT_ORDER_COL)
            return why = "an order other than columns", CUBLAS_STATUS_NOT_SUPPORTED;
        if (layout->rows == 0 || layout->columns == 0 || layout->leading < static_cast<std::int64_t>(layout->rows))
            return why = "an empty matrix or a leading dimension below its rows", CUBLAS_STATUS_INVALID_VALUE;
        if (layout->batch != call.d.batch) return why = "batches of other sizes", CUBLAS_STATUS_INVALID_VALUE;
    }
    if (o.pointerMode != CUBLASLT_POINTER_MODE_HOST) return why = "a pointer mode", CUBLAS_STATUS_NOT_SUPPORTED;
    const bool turnsA = o.transposeA != CUBLAS_OP_N, turnsB = o.transposeB != CUBLAS_OP_N;
    const auto rows = turnsA ? call.a.columns : call.a.rows, columns = turnsB ? call.b.rows : call.b.columns;
    const auto depth = turnsB ? call.b.columns : call.b.rows;
    if (rows != call.d.rows || columns != call.d.columns || static_cast<std::int64_t>(depth) != call.depth() ||
        call.c.rows != call.d.rows || call.c.columns != call.d.columns)
        return why = "shapes that do not fit", CUBLAS_STATUS_INVALID_VALUE;
    why = checkTypes(call);
    if (why.empty()) why = checkEpilogue(call);
    return why.empty() ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_NOT_SUPPORTED;
}

namespace {

/// A factor as the compute type sees it.
double rounded(double value, std::int32_t computeType)
{
    if (computeType == CUBLAS_COMPUTE_32F_FAST_16BF)
        return static_cast<double>(fromBf16(toBf16(static_cast<float>(value))));
    if (computeType == CUBLAS_COMPUTE_32F_FAST_16F)
        return static_cast<double>(fromF16(toF16(static_cast<float>(value))));
    if (computeType != CUBLAS_COMPUTE_32F_FAST_TF32) return value;
    int exponent = 0;
    const double digits = std::frexp(value, &exponent);
    return std::ldexp(std::nearbyint(std::ldexp(digits, 11)), exponent - 11); // ten bits behind the first
}

/// op(X) of one of the batch: outer x depth, the depth running fastest.
std::vector<double> gather(const Layout& layout, const void* data, std::int64_t batch, bool outerIsRows,
                           std::int32_t computeType)
{
    const auto type = *elementType(layout.type);
    const auto rows = static_cast<std::int64_t>(layout.rows), columns = static_cast<std::int64_t>(layout.columns);
    std::vector<double> values(static_cast<std::size_t>(rows * columns));
    for (std::int64_t column = 0; column < columns; ++column) {
        for (std::int64_t row = 0; row < rows; ++row) {
            const double value = loadElement(type, data, batch * layout.batchStride + column * layout.leading + row);
            values[static_cast<std::size_t>(outerIsRows ? row * columns + column : column * rows + row)] =
                rounded(value, computeType);
        }
    }
    return values;
}

double gelu(double x)
{
    const double inner = std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x);
    return 0.5 * x * (1 + std::tanh(inner));
}

double geluGradient(double x)
{
    const double inner = std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x), slope = std::tanh(inner);
    const double derivative = std::sqrt(2 / M_PI) * (1 + 3 * 0.044715 * x * x);
    return 0.5 * (1 + slope) + 0.5 * x * (1 - slope * slope) * derivative;
}

/// The mask of ReLU: a bit an element.
void storeBit(void* memory, std::int64_t index, bool value)
{
    auto* bytes = static_cast<unsigned char*>(memory);
    const auto bit = static_cast<unsigned char>(1U << (index % 8));
    bytes[index / 8] = static_cast<unsigned char>(value ? bytes[index / 8] | bit : bytes[index / 8] & ~bit);
}

bool loadBit(const void* memory, std::int64_t index)
{
    return (static_cast<const unsigned char*>(memory)[index / 8] >> (index % 8) & 1U) != 0;
}

/// One of a batch.
class One
{
public:
    One(const ProductCall& call, std::int64_t batch)
        : m_call(call), m_batch(batch), m_type(*elementType(call.d.type)),
          m_a(gather(call.a, call.aData, batch, call.operation.transposeA == CUBLAS_OP_N, call.operation.computeType)),
          m_b(gather(call.b, call.bData, batch, call.operation.transposeB != CUBLAS_OP_N, call.operation.computeType))
    {
    }

    void run()
    {
        const std::int64_t M = m_call.rows(), N = m_call.columns();
        std::vector<double> sums(static_cast<std::size_t>(M), 0.0);
        for (std::int64_t n = 0; n < N; ++n) {
            for (std::int64_t m = 0; m < M; ++m) {
                const double value = finish(product(m, n), m, n);
                sums[static_cast<std::size_t>(m)] += value;
                storeElement(m_type, m_call.dData, m_batch * m_call.d.batchStride + n * m_call.d.leading + m, value);
            }
        }
        const Operation& o = m_call.operation;
        if (o.sumsGradient()) storeBias(sums);
        if (o.epilogue == CUBLASLT_EPILOGUE_BGRADA) storeBias(depthSums(m_a, M));
        if (o.epilogue == CUBLASLT_EPILOGUE_BGRADB) storeBias(depthSums(m_b, N));
    }

private:
    /// The accumulator: f32, in as many parts as the algorithm has.
    double product(std::int64_t m, std::int64_t n) const
    {
        const std::int64_t K = m_call.depth(), part = (K + m_call.parts - 1) / m_call.parts;
        const double *a = m_a.data() + m * K, *b = m_b.data() + n * K;
        float total = 0;
        for (std::int64_t begin = 0; begin < K; begin += part) {
            double sum = 0;
            for (std::int64_t k = begin; k < std::min(K, begin + part); ++k) sum += a[k] * b[k];
            total += static_cast<float>(sum);
        }
        return static_cast<double>(total);
    }

    double finish(double value, std::int64_t m, std::int64_t n) const
    {
        const Operation& o = m_call.operation;
        value *= static_cast<double>(m_call.alpha);
        if (m_call.beta != 0)
            value += static_cast<double>(m_call.beta) *
                     loadElement(m_type, m_call.cData, m_batch * m_call.c.batchStride + n * m_call.c.leading + m);
        if (o.addsBias()) value += loadElement(m_type, o.bias, m_batch * o.biasBatchStride + m);
        const std::int64_t at = m_batch * o.auxiliaryBatchStride + n * o.auxiliaryLeading + m;
        if (o.isRelu()) {
            if (o.hasAuxiliary()) storeBit(o.auxiliary, at, value > 0);
            return std::max(value, 0.0);
        }
        if (o.isGelu()) {
            if (o.hasAuxiliary()) storeElement(m_type, o.auxiliary, at, value);
            return gelu(value);
        }
        if (o.isReluGradient()) return loadBit(o.auxiliary, at) ? value : 0;
        if (o.isGeluGradient()) return value * geluGradient(loadElement(m_type, o.auxiliary, at));
        return value;
    }

    std::vector<double> depthSums(const std::vector<double>& factor, std::int64_t outer) const
    {
        const std::int64_t K = m_call.depth();
        std::vector<double> sums(static_cast<std::size_t>(outer), 0.0);
        for (std::int64_t i = 0; i < outer * K; ++i)
            sums[static_cast<std::size_t>(i / K)] += factor[static_cast<std::size_t>(i)];
        return sums;
    }

    void storeBias(const std::vector<double>& values) const
    {
        const Operation& o = m_call.operation;
        for (std::size_t i = 0; i < values.size(); ++i)
            storeElement(m_type, o.bias, m_batch * o.biasBatchStride + static_cast<std::int64_t>(i), values[i]);
    }

    const ProductCall& m_call;
    std::int64_t m_batch;
    DType m_type;
    std::vector<double> m_a, m_b; // (M,K) and (N,K)
};

} // namespace

void computeProduct(const ProductCall& call)
{
    for (std::int64_t batch = 0; batch < call.d.batch; ++batch) One(call, batch).run();
}

} // namespace millrace::kernels::cuda::simulated
