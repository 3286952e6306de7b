#include "kernels/cuda/products.h"

#include "kernels/base/text.h"
#include "kernels/cuda/bias_gradient.h"
#include "kernels/cuda/fastest.h"
#include "kernels/cuda/owned.h"
#include "kernels/cuda/product_epilogue.h"
#include "kernels/ops/check.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace millrace::kernels::cuda {

namespace {

using After = ProductShape::After;

constexpr std::uint64_t kMostWorkspaceBytes = 32ULL << 20;
constexpr std::uint64_t kWorkspaceAlignment = 256;
constexpr std::uint32_t kOperandAlignment = 16; // what the widest loads of kernels need; ours are 64-byte aligned

using OwnedDescriptor = Owned<cublasLtMatmulDesc_t, &Runtime::cublasLtMatmulDescDestroy>;
using OwnedLayout = Owned<cublasLtMatrixLayout_t, &Runtime::cublasLtMatrixLayoutDestroy>;
using OwnedPreference = Owned<cublasLtMatmulPreference_t, &Runtime::cublasLtMatmulPreferenceDestroy>;

cudaDataType_t dataType(DType type)
{
    return type == DType::BF16 ? CUDA_R_16BF : type == DType::F16 ? CUDA_R_16F : CUDA_R_32F;
}

cublasComputeType_t computeType(const ProductShape& shape)
{
    if (shape.type != DType::F32 || shape.precision == Precision::F32) return CUBLAS_COMPUTE_32F;
    return shape.precision == Precision::Tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F_FAST_16BF;
}

cublasLtEpilogue_t epilogueOf(const ProductShape& shape)
{
    switch (shape.after) {
    case After::Bias:
        if (shape.epilogue == Epilogue::Relu) return CUBLASLT_EPILOGUE_RELU_BIAS;
        if (shape.epilogue == Epilogue::None) return CUBLASLT_EPILOGUE_BIAS;
        return shape.keepInput ? CUBLASLT_EPILOGUE_GELU_AUX_BIAS : CUBLASLT_EPILOGUE_GELU_BIAS;
    case After::Gradient:
        return CUBLASLT_EPILOGUE_DGELU;
    case After::BiasGradient:
        return CUBLASLT_EPILOGUE_BGRADB;
    case After::Nothing:
        break;
    }
    return CUBLASLT_EPILOGUE_DEFAULT;
}

/// Whether cuBLASLt may be asked for it. Its gradient of ReLU reads a mask of bits that nobody has written here, and
/// what its GELU keeps has rows of a multiple of eight elements.
bool hasEpilogue(const ProductShape& shape)
{
    const bool needsRows = shape.after == After::Gradient || shape.keepInput;
    if (shape.after == After::Gradient && shape.epilogue == Epilogue::Relu) return false;
    return shape.after != After::Nothing && (!needsRows || shape.columns % 8 == 0);
}

/// Sizes of a stored matrix in rows as they lie in memory.
struct Stored
{
    std::int64_t rows, columns, stride, batchStride;
};

Stored stored(std::int64_t rows, std::int64_t columns, bool transposed, std::int64_t stride, std::int64_t batchStride)
{
    if (transposed) std::swap(rows, columns);
    if (stride == 0) stride = columns;
    return {rows, columns, stride, batchStride == 0 ? rows * stride : batchStride};
}

struct Matrices
{
    Stored a, b, d;
    explicit Matrices(const ProductShape& s)
        : a(stored(s.rows, s.depth, s.transposeA, s.strideA, s.batchStrideA)),
          b(stored(s.depth, s.columns, s.transposeB, s.strideB, s.batchStrideB)),
          d(stored(s.rows, s.columns, false, s.strideD, s.batchStrideD))
    {
    }
};

std::uint64_t bytesOf(const Stored& matrix, std::int64_t batch, DType type)
{
    return static_cast<std::uint64_t>((batch - 1) * matrix.batchStride + matrix.rows * matrix.stride) * sizeBytes(type);
}

/// What the choice of an algorithm depends on.
std::string keyOf(const ProductShape& s)
{
    const Matrices m(s);
    return str("product ", s.rows, 'x', s.columns, 'x', s.depth, s.transposeA ? " ta" : "", s.transposeB ? " tb" : "",
               ' ', name(s.type), ' ', name(s.resultType), " precision ", static_cast<int>(s.precision), " batch ",
               s.batch, " strides ", m.a.stride, ' ', m.b.stride, ' ', m.d.stride, ' ', m.a.batchStride, ' ',
               m.b.batchStride, ' ', m.d.batchStride, s.accumulate ? " accumulate" : "", " after ",
               static_cast<int>(s.after), ' ', static_cast<int>(s.epilogue), s.keepInput ? " keep" : "");
}

Status check(const ProductShape& s)
{
    MR_CHECK(
        requirePositive("product", {{"rows", s.rows}, {"columns", s.columns}, {"depth", s.depth}, {"batch", s.batch}}));
    if (s.type != s.resultType && s.resultType != DType::F32)
        return makeError(Code::InvalidArgument, str("product: a result of type ", name(s.resultType), " of factors of ",
                                                    name(s.type), ", expected ", name(s.type), " or f32."));
    if (s.after == After::Nothing) return {};
    if (s.after == After::BiasGradient && (!s.transposeA || (s.strideA != 0 && s.strideA != s.rows)))
        return makeError(
            Code::InvalidArgument,
            "product: a bias gradient needs a first factor that is transposed and whose rows lie together.");
    if (s.after != After::BiasGradient && s.type != s.resultType)
        return makeError(Code::InvalidArgument, "product: an epilogue needs a result of the factors' type.");
    if (s.batch != 1 || s.accumulate)
        return makeError(Code::InvalidArgument, "product: a batch or an accumulated result takes no epilogue.");
    if (s.strideD != 0 && s.strideD != s.columns)
        return makeError(Code::InvalidArgument,
                         str("product: rows of the result lie ", s.strideD,
                             " elements apart, but an epilogue needs them together, ", s.columns, " apart."));
    return {};
}

/// One of the ways that cuBLASLt offers.
struct Algorithm
{
    cublasLtMatmulHeuristicResult_t found;
    bool fused; ///< with cuBLASLt's epilogue; else a kernel of ours follows
};

} // namespace

/// cuBLASLt's matrices lie in columns: a row-major D = A B is D^T = B^T A^T to it, so that its A is our B and its B our
/// A, each as it lies in memory.
struct Product::State
{
    State(Context& c, const ProductShape& s) : context(c), shape(s), biasGradient(c, s.type, s.depth, s.rows) {}

    Status prepare();
    Result<OwnedLayout> makeLayout(const Stored& matrix, DType type) const;
    Result<OwnedDescriptor> makeDescriptor(cublasLtEpilogue_t epilogue) const;
    Result<std::vector<Algorithm>> findAlgorithms(bool isFused, int most) const;
    Status choose(std::vector<Algorithm> algorithms);
    Status setPointers(const ProductOperands& operands);
    Status run(const Algorithm& algorithm, const ProductOperands& operands, std::byte* scratch);

    Context& context;
    ProductShape shape;
    BiasGradient biasGradient;
    OwnedLayout a, b, d;
    OwnedDescriptor fused, plain; ///< fused: null where cuBLASLt cannot be asked
    Algorithm chosen{}, withoutBias{};
};

Result<OwnedLayout> Product::State::makeLayout(const Stored& matrix, DType type) const
{
    const Runtime& call = context.runtime();
    cublasLtMatrixLayout_t created = nullptr;
    MR_CHECK(context.asStatus(call.cublasLtMatrixLayoutCreate(&created, dataType(type),
                                                              static_cast<std::uint64_t>(matrix.columns),
                                                              static_cast<std::uint64_t>(matrix.rows), matrix.stride),
                              "a matrix"));
    OwnedLayout layout(created);
    if (shape.batch > 1) {
        const auto count = static_cast<std::int32_t>(shape.batch);
        MR_CHECK(context.asStatus(
            call.cublasLtMatrixLayoutSetAttribute(created, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &count, sizeof count),
            "a matrix"));
        MR_CHECK(
            context.asStatus(call.cublasLtMatrixLayoutSetAttribute(created, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET,
                                                                   &matrix.batchStride, sizeof matrix.batchStride),
                             "a matrix"));
    }
    return layout;
}

Result<OwnedDescriptor> Product::State::makeDescriptor(cublasLtEpilogue_t epilogue) const
{
    const Runtime& call = context.runtime();
    cublasLtMatmulDesc_t created = nullptr;
    MR_CHECK(context.asStatus(call.cublasLtMatmulDescCreate(&created, computeType(shape), CUDA_R_32F), "a product"));
    OwnedDescriptor descriptor(created);
    const auto set = [&](cublasLtMatmulDescAttributes_t attribute, const auto& value) {
        return context.asStatus(call.cublasLtMatmulDescSetAttribute(created, attribute, &value, sizeof value),
                                "a product");
    };
    const cublasOperation_t ours[] = {shape.transposeB ? CUBLAS_OP_T : CUBLAS_OP_N,
                                      shape.transposeA ? CUBLAS_OP_T : CUBLAS_OP_N};
    MR_CHECK(set(CUBLASLT_MATMUL_DESC_TRANSA, ours[0]));
    MR_CHECK(set(CUBLASLT_MATMUL_DESC_TRANSB, ours[1]));
    MR_CHECK(set(CUBLASLT_MATMUL_DESC_EPILOGUE, epilogue));
    // the search for algorithms looks at the pointers' alignment, at nothing else: this one is as a tensor's
    alignas(64) static const std::byte anywhere[64]{};
    const void* pointer = anywhere;
    if (shape.after == After::Bias || shape.after == After::BiasGradient)
        MR_CHECK(set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, pointer));
    if (shape.after == After::Gradient || shape.keepInput) {
        MR_CHECK(set(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, pointer));
        MR_CHECK(set(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, shape.columns));
    }
    return descriptor;
}

Result<std::vector<Algorithm>> Product::State::findAlgorithms(bool isFused, int most) const
{
    const Runtime& call = context.runtime();
    cublasLtMatmulPreference_t created = nullptr;
    MR_CHECK(context.asStatus(call.cublasLtMatmulPreferenceCreate(&created), "an algorithm's preferences"));
    const OwnedPreference preference(created);
    const auto set = [&](cublasLtMatmulPreferenceAttributes_t attribute, const auto& value) {
        return context.asStatus(call.cublasLtMatmulPreferenceSetAttribute(created, attribute, &value, sizeof value),
                                "an algorithm's preferences");
    };
    const std::uint32_t reductions = CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE; // beside none at all
    MR_CHECK(set(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, kMostWorkspaceBytes));
    MR_CHECK(set(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, reductions));
    for (const auto attribute :
         {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
          CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES})
        MR_CHECK(set(attribute, kOperandAlignment));

    std::vector<cublasLtMatmulHeuristicResult_t> results(static_cast<std::size_t>(most));
    int count = 0;
    const cublasStatus_t status =
        call.cublasLtMatmulAlgoGetHeuristic(context.products(), (isFused ? fused : plain).get(), b.get(), a.get(),
                                            d.get(), d.get(), created, most, results.data(), &count);
    std::vector<Algorithm> algorithms;
    if (status == CUBLAS_STATUS_NOT_SUPPORTED) return algorithms;
    if (isFused && status == CUBLAS_STATUS_INVALID_VALUE) return algorithms; // of a combination of types
    MR_CHECK(context.asStatus(status, "the search for an algorithm"));
    for (int i = 0; i < count; ++i) {
        const auto& result = results[static_cast<std::size_t>(i)];
        std::uint32_t reduction = CUBLASLT_REDUCTION_SCHEME_NONE;
        std::size_t written = 0;
        if (result.state != CUBLAS_STATUS_SUCCESS) continue;
        MR_CHECK(context.asStatus(call.cublasLtMatmulAlgoConfigGetAttribute(&result.algo,
                                                                            CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME,
                                                                            &reduction, sizeof reduction, &written),
                                  "an algorithm's reduction"));
        if (reduction == CUBLASLT_REDUCTION_SCHEME_NONE || reduction == CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE)
            algorithms.push_back({result, isFused});
    }
    return algorithms;
}

Status Product::State::prepare()
{
    const Matrices matrices(shape);
    MR_TRY(a, makeLayout(matrices.a, shape.type));
    MR_TRY(b, makeLayout(matrices.b, shape.type));
    MR_TRY(d, makeLayout(matrices.d, shape.resultType));
    MR_TRY(plain, makeDescriptor(CUBLASLT_EPILOGUE_DEFAULT));
    constexpr int kMost = 16;
    const bool asksForBoth = hasEpilogue(shape);
    MR_TRY(const auto plainOnes, findAlgorithms(false, asksForBoth ? kMost / 2 : kMost));
    if (plainOnes.empty())
        return makeError(Code::Unsupported, str("cuBLASLt has no algorithm for the ", keyOf(shape), "."));
    std::vector<Algorithm> fusedOnes;
    if (asksForBoth) {
        MR_TRY(fused, makeDescriptor(epilogueOf(shape)));
        MR_TRY(fusedOnes, findAlgorithms(true, kMost / 2));
    }
    // in turns, so that the best of both are tried before time is up
    std::vector<Algorithm> algorithms;
    for (std::size_t i = 0; i < std::max(plainOnes.size(), fusedOnes.size()); ++i) {
        if (i < fusedOnes.size()) algorithms.push_back(fusedOnes[i]);
        if (i < plainOnes.size()) algorithms.push_back(plainOnes[i]);
    }
    withoutBias = plainOnes.front();
    return choose(std::move(algorithms));
}

Status Product::State::choose(std::vector<Algorithm> algorithms)
{
    const Matrices matrices(shape);
    const std::uint64_t bytesD = bytesOf(matrices.d, shape.batch, shape.resultType);
    Layout memory;
    const std::uint64_t atA = memory.add(bytesOf(matrices.a, shape.batch, shape.type));
    const std::uint64_t atB = memory.add(bytesOf(matrices.b, shape.batch, shape.type));
    const std::uint64_t atD = memory.add(bytesD);
    const std::uint64_t atOther = memory.add(shape.keepInput || shape.after == After::Gradient ? bytesD : 0);
    const std::uint64_t atVector = memory.add(static_cast<std::uint64_t>(shape.rows + shape.columns) * sizeof(float));
    std::uint64_t most = biasGradient.scratchBytes();
    for (const Algorithm& algorithm : algorithms) most = std::max<std::uint64_t>(most, algorithm.found.workspaceSize);
    const std::uint64_t atScratch = memory.add(most + kWorkspaceAlignment);
    MR_TRY(const int place, chooseFastest(context, keyOf(shape), static_cast<int>(algorithms.size()),
                                          memory.sizeBytes(), [&](int candidate, std::byte* at) {
                                              return run(algorithms[static_cast<std::size_t>(candidate)],
                                                         {.a = at + atA,
                                                          .b = at + atB,
                                                          .d = at + atD,
                                                          .bias = at + atVector,
                                                          .z = shape.keepInput ? at + atOther : nullptr,
                                                          .v = at + atOther,
                                                          .biasGradient = reinterpret_cast<float*>(at + atVector)},
                                                         at + atScratch);
                                          }));
    chosen = algorithms[static_cast<std::size_t>(place)];
    return {};
}

Status Product::State::setPointers(const ProductOperands& operands)
{
    const auto set = [&](cublasLtMatmulDescAttributes_t attribute, const void* pointer) {
        return context.asStatus(
            context.runtime().cublasLtMatmulDescSetAttribute(fused.get(), attribute, &pointer, sizeof pointer),
            "a product's operands");
    };
    if (shape.after == After::Bias) MR_CHECK(set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, operands.bias));
    if (shape.after == After::BiasGradient) MR_CHECK(set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, operands.biasGradient));
    if (shape.after == After::Gradient) MR_CHECK(set(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, operands.v));
    if (shape.keepInput) MR_CHECK(set(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, operands.z));
    return {};
}

Status Product::State::run(const Algorithm& algorithm, const ProductOperands& operands, std::byte* scratch)
{
    if (algorithm.fused) MR_CHECK(setPointers(operands));
    const auto address = reinterpret_cast<std::uintptr_t>(scratch);
    std::byte* workspace = scratch + (kWorkspaceAlignment - address % kWorkspaceAlignment) % kWorkspaceAlignment;
    const float one = 1, kept = shape.accumulate ? 1 : 0;
    MR_CHECK(context.asStatus(context.runtime().cublasLtMatmul(
                                  context.products(), (algorithm.fused ? fused : plain).get(), &one, operands.b,
                                  b.get(), operands.a, a.get(), &kept, operands.d, d.get(), operands.d, d.get(),
                                  &algorithm.found.algo, workspace, algorithm.found.workspaceSize, context.stream()),
                              "a matrix product"));
    if (algorithm.fused) return {};
    switch (shape.after) {
    case After::Bias:
        if (operands.bias || operands.z || shape.epilogue != Epilogue::None)
            applyEpilogue(context, shape.type, shape.epilogue, operands.d, operands.bias, operands.z, shape.rows,
                          shape.columns);
        break;
    case After::Gradient:
        applyEpilogueGradient(context, shape.type, shape.epilogue, operands.d, operands.v, shape.rows * shape.columns);
        break;
    case After::BiasGradient:
        biasGradient.run(operands.a, operands.biasGradient, scratch);
        break;
    case After::Nothing:
        break;
    }
    return {};
}

Product::Product(std::unique_ptr<State> state) : m_state(std::move(state)) {}
Product::~Product() = default;
Product::Product(Product&&) noexcept = default;
Product& Product::operator=(Product&&) noexcept = default;

Result<Product> Product::create(Context& context, const ProductShape& shape)
{
    MR_CHECK(check(shape));
    auto state = std::make_unique<State>(context, shape);
    MR_CHECK(state->prepare());
    return Product(std::move(state));
}

std::uint64_t Product::scratchBytes() const
{
    const State& s = *m_state;
    const std::uint64_t workspace = std::max(s.chosen.found.workspaceSize, s.withoutBias.found.workspaceSize);
    const bool sums = s.shape.after == After::BiasGradient && !s.chosen.fused;
    return std::max(workspace == 0 ? 0 : workspace + kWorkspaceAlignment, sums ? s.biasGradient.scratchBytes() : 0);
}

void Product::run(const ProductOperands& operands, std::byte* scratch)
{
    State& s = *m_state;
    const bool fits = s.shape.after != After::Bias || (operands.bias && (!s.shape.keepInput || operands.z));
    s.context.check(s.run(fits ? s.chosen : s.withoutBias, operands, scratch));
}

} // namespace millrace::kernels::cuda
