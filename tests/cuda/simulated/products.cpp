#include "tests/cuda/simulated/products.h"

#include "kernels/base/text.h"
#include "tests/cuda/simulated/gpu.h"
#include "tests/cuda/simulated/product.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>

namespace millrace::kernels::cuda::simulated {

namespace {

struct Preference
{
    std::uint64_t workspaceBytes = 0;
    std::uint32_t searchMode = CUBLASLT_SEARCH_BEST_FIT, reductions = CUBLASLT_REDUCTION_SCHEME_MASK;
    std::array<std::uint32_t, 4> alignments{256, 256, 256, 256}; // of A, B, C, D
    std::uint64_t implementations = ~std::uint64_t{0};
    float waves = 0;
};

/// What an algorithm keeps in its 64 bytes.
struct Algorithm
{
    std::uint32_t mark; ///< that it is one of ours
    std::uint32_t reduction;
    std::int32_t parts;
    std::uint32_t alignment; ///< of all operands, in bytes
    std::uint64_t workspaceBytes;
    std::uint64_t problem; ///< a hash of what it was found for
};
constexpr std::uint32_t kMark = 0x414C474F;

template <class Thing, class Handle> cublasStatus_t create(Handle* handle, Thing thing)
{
    *handle = reinterpret_cast<Handle>(std::make_unique<Thing>(std::move(thing)).release());
    return CUBLAS_STATUS_SUCCESS;
}

template <class Thing, class Handle> cublasStatus_t destroy(Handle handle)
{
    const std::unique_ptr<Thing> owned(reinterpret_cast<Thing*>(handle));
    return CUBLAS_STATUS_SUCCESS;
}

template <class Value> cublasStatus_t set(Value& target, const void* value, std::size_t sizeBytes)
{
    if (value == nullptr || sizeBytes != sizeof target) {
        gpu().refuse(cudaSuccess, str("an attribute of ", sizeBytes, " bytes, expected ", sizeof target));
        return CUBLAS_STATUS_INVALID_VALUE;
    }
    std::memcpy(&target, value, sizeof target);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t unknownAttribute(int attribute)
{
    gpu().refuse(cudaSuccess, str("cuBLASLt's attribute ", attribute, " is not simulated"));
    return CUBLAS_STATUS_INVALID_VALUE;
}

const Operation& operationOf(cublasLtMatmulDesc_t handle)
{
    return *reinterpret_cast<const Operation*>(handle);
}
const Layout& layoutOf(cublasLtMatrixLayout_t handle)
{
    return *reinterpret_cast<const Layout*>(handle);
}

ProductCall describe(cublasLtMatmulDesc_t operation, cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                     cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d)
{
    ProductCall call;
    call.operation = operationOf(operation);
    call.a = layoutOf(a), call.b = layoutOf(b), call.c = layoutOf(c), call.d = layoutOf(d);
    return call;
}

/// Of all that an algorithm depends on: not of pointers.
std::uint64_t hashOf(const ProductCall& call)
{
    std::uint64_t hash = 14695981039346656037U;
    const auto mix = [&hash](auto value) { hash = (hash ^ static_cast<std::uint64_t>(value)) * 1099511628211U; };
    for (const Layout* layout : {&call.a, &call.b, &call.c, &call.d}) {
        mix(layout->type), mix(layout->rows), mix(layout->columns), mix(layout->leading);
        mix(layout->batch), mix(layout->batchStride);
    }
    const Operation& o = call.operation;
    mix(o.computeType), mix(o.transposeA), mix(o.transposeB), mix(o.epilogue), mix(o.auxiliaryLeading);
    return hash;
}

Algorithm unpack(const cublasLtMatmulAlgo_t* algorithm)
{
    Algorithm result{};
    std::memcpy(&result, algorithm, sizeof result);
    return result;
}

cublasStatus_t refuse(cublasStatus_t status, const std::string& why)
{
    gpu().refuse(cudaSuccess, str("cuBLASLt refuses ", why));
    return status;
}

} // namespace

cublasStatus_t productsCreate(cublasLtHandle_t* handle)
{
    return create(handle, int{});
}
cublasStatus_t productsDestroy(cublasLtHandle_t handle)
{
    return destroy<int>(handle);
}
std::size_t productsVersion()
{
    return 130000;
}

cublasStatus_t operationCreate(cublasLtMatmulDesc_t* handle, cublasComputeType_t computeType, cudaDataType_t scaleType)
{
    Operation operation;
    operation.computeType = computeType;
    operation.scaleType = scaleType;
    return create(handle, operation);
}
cublasStatus_t operationDestroy(cublasLtMatmulDesc_t handle)
{
    return destroy<Operation>(handle);
}
cublasStatus_t operationSetAttribute(cublasLtMatmulDesc_t handle, cublasLtMatmulDescAttributes_t attribute,
                                     const void* value, std::size_t size)
{
    auto& o = *reinterpret_cast<Operation*>(handle);
    switch (attribute) {
    case CUBLASLT_MATMUL_DESC_COMPUTE_TYPE:
        return set(o.computeType, value, size);
    case CUBLASLT_MATMUL_DESC_SCALE_TYPE:
        return set(o.scaleType, value, size);
    case CUBLASLT_MATMUL_DESC_POINTER_MODE:
        return set(o.pointerMode, value, size);
    case CUBLASLT_MATMUL_DESC_TRANSA:
        return set(o.transposeA, value, size);
    case CUBLASLT_MATMUL_DESC_TRANSB:
        return set(o.transposeB, value, size);
    case CUBLASLT_MATMUL_DESC_EPILOGUE:
        return set(o.epilogue, value, size);
    case CUBLASLT_MATMUL_DESC_BIAS_POINTER:
        return set(o.bias, value, size);
    case CUBLASLT_MATMUL_DESC_BIAS_BATCH_STRIDE:
        return set(o.biasBatchStride, value, size);
    case CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE:
        return set(o.biasType, value, size);
    case CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER:
        return set(o.auxiliary, value, size);
    case CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD:
        return set(o.auxiliaryLeading, value, size);
    case CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_BATCH_STRIDE:
        return set(o.auxiliaryBatchStride, value, size);
    case CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_DATA_TYPE:
        return set(o.auxiliaryType, value, size);
    case CUBLASLT_MATMUL_DESC_SM_COUNT_TARGET:
        return set(o.smCount, value, size);
    default:
        return unknownAttribute(attribute);
    }
}

cublasStatus_t layoutCreate(cublasLtMatrixLayout_t* handle, cudaDataType type, std::uint64_t rows,
                            std::uint64_t columns, std::int64_t leading)
{
    Layout layout;
    layout.type = type, layout.rows = rows, layout.columns = columns, layout.leading = leading;
    return create(handle, layout);
}
cublasStatus_t layoutDestroy(cublasLtMatrixLayout_t handle)
{
    return destroy<Layout>(handle);
}
cublasStatus_t layoutSetAttribute(cublasLtMatrixLayout_t handle, cublasLtMatrixLayoutAttribute_t attribute,
                                  const void* value, std::size_t size)
{
    auto& layout = *reinterpret_cast<Layout*>(handle);
    switch (attribute) {
    case CUBLASLT_MATRIX_LAYOUT_ORDER:
        return set(layout.order, value, size);
    case CUBLASLT_MATRIX_LAYOUT_ROWS:
        return set(layout.rows, value, size);
    case CUBLASLT_MATRIX_LAYOUT_COLS:
        return set(layout.columns, value, size);
    case CUBLASLT_MATRIX_LAYOUT_LD:
        return set(layout.leading, value, size);
    case CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT:
        return set(layout.batch, value, size);
    case CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET:
        return set(layout.batchStride, value, size);
    default:
        return unknownAttribute(attribute);
    }
}

cublasStatus_t preferenceCreate(cublasLtMatmulPreference_t* handle)
{
    return create(handle, Preference{});
}
cublasStatus_t preferenceDestroy(cublasLtMatmulPreference_t handle)
{
    return destroy<Preference>(handle);
}
cublasStatus_t preferenceSetAttribute(cublasLtMatmulPreference_t handle, cublasLtMatmulPreferenceAttributes_t attribute,
                                      const void* value, std::size_t size)
{
    auto& preference = *reinterpret_cast<Preference*>(handle);
    switch (attribute) {
    case CUBLASLT_MATMUL_PREF_SEARCH_MODE:
        return set(preference.searchMode, value, size);
    case CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES:
        return set(preference.workspaceBytes, value, size);
    case CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK:
        return set(preference.reductions, value, size);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES:
        return set(preference.alignments[0], value, size);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES:
        return set(preference.alignments[1], value, size);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES:
        return set(preference.alignments[2], value, size);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES:
        return set(preference.alignments[3], value, size);
    case CUBLASLT_MATMUL_PREF_MAX_WAVES_COUNT:
        return set(preference.waves, value, size);
    case CUBLASLT_MATMUL_PREF_IMPL_MASK:
        return set(preference.implementations, value, size);
    default:
        return unknownAttribute(attribute);
    }
}

cublasStatus_t algorithmHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t operation, cublasLtMatrixLayout_t a,
                                  cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                  cublasLtMatmulPreference_t preferenceHandle, int requested,
                                  cublasLtMatmulHeuristicResult_t* results, int* found)
{
    *found = 0;
    if (requested < 1) return CUBLAS_STATUS_INVALID_VALUE;
    const ProductCall call = describe(operation, a, b, c, d);
    const auto& preference = *reinterpret_cast<const Preference*>(preferenceHandle);
    std::string why;
    if (const cublasStatus_t status = checkProduct(call, why); status != CUBLAS_STATUS_SUCCESS)
        return refuse(status, why);
    const std::uint64_t sumsBytes =
        static_cast<std::uint64_t>(call.rows() * call.columns() * call.d.batch) * sizeof(float) * 2;
    const auto alignment = *std::ranges::min_element(preference.alignments);
    // one without a split, and two that split the depth: with sums beside D, and in D in the order of arrival
    const Algorithm candidates[] = {
        {kMark, CUBLASLT_REDUCTION_SCHEME_NONE, 1, alignment, 0, hashOf(call)},
        {kMark, CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE, 2, alignment, sumsBytes, hashOf(call)},
        {kMark, CUBLASLT_REDUCTION_SCHEME_INPLACE, 3, alignment, 4096, hashOf(call)}};
    for (const Algorithm& candidate : candidates) {
        const bool allowed =
            candidate.reduction == CUBLASLT_REDUCTION_SCHEME_NONE || (preference.reductions & candidate.reduction) != 0;
        if (!allowed || candidate.workspaceBytes > preference.workspaceBytes || *found >= requested) continue;
        cublasLtMatmulHeuristicResult_t& result = results[(*found)++];
        result = {};
        std::memcpy(&result.algo, &candidate, sizeof candidate);
        result.workspaceSize = candidate.workspaceBytes;
        result.state = CUBLAS_STATUS_SUCCESS;
        result.wavesCount = 1;
    }
    return *found > 0 ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_NOT_SUPPORTED;
}

cublasStatus_t algorithmGetAttribute(const cublasLtMatmulAlgo_t* algorithm,
                                     cublasLtMatmulAlgoConfigAttributes_t attribute, void* value, std::size_t size,
                                     std::size_t* written)
{
    const Algorithm ours = unpack(algorithm);
    if (ours.mark != kMark) return CUBLAS_STATUS_INVALID_VALUE;
    const auto put = [&](auto content) {
        if (written != nullptr) *written = sizeof content;
        if (size == 0) return written != nullptr ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_INVALID_VALUE;
        if (size != sizeof content || value == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
        std::memcpy(value, &content, sizeof content);
        return CUBLAS_STATUS_SUCCESS;
    };
    switch (attribute) {
    case CUBLASLT_ALGO_CONFIG_ID:
        return put(std::int32_t{66});
    case CUBLASLT_ALGO_CONFIG_TILE_ID:
        return put(std::uint32_t{CUBLASLT_MATMUL_TILE_128x128});
    case CUBLASLT_ALGO_CONFIG_SPLITK_NUM:
        return put(ours.parts);
    case CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME:
        return put(ours.reduction);
    default:
        return unknownAttribute(attribute);
    }
}

cublasStatus_t algorithmCheck(cublasLtHandle_t, cublasLtMatmulDesc_t operation, cublasLtMatrixLayout_t a,
                              cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                              const cublasLtMatmulAlgo_t* algorithm, cublasLtMatmulHeuristicResult_t* result)
{
    const Algorithm ours = unpack(algorithm);
    const ProductCall call = describe(operation, a, b, c, d);
    std::string why;
    if (const cublasStatus_t status = checkProduct(call, why); status != CUBLAS_STATUS_SUCCESS)
        return refuse(status, why);
    if (ours.mark != kMark || ours.problem != hashOf(call)) return CUBLAS_STATUS_NOT_SUPPORTED;
    result->workspaceSize = ours.workspaceBytes;
    result->state = CUBLAS_STATUS_SUCCESS;
    result->wavesCount = 1;
    return CUBLAS_STATUS_SUCCESS;
}

namespace {

/// What a GPU would fault on or refuse in the operands.
std::string checkOperands(const ProductCall& call, const Algorithm& algorithm, const void* workspace,
                          std::size_t workspaceBytes)
{
    const auto check = [&](const void* data, std::int64_t elements, std::int32_t type, std::string_view name,
                           std::uint32_t alignment) {
        const auto bytes = static_cast<std::size_t>(elements) * sizeBytes(*elementType(type));
        if (gpu().memory.placeOf(data, bytes) != Memory::Place::Device) return str(name, " that is not the device's");
        if (reinterpret_cast<std::uintptr_t>(data) % alignment != 0)
            return str(name, " that is not aligned to ", alignment, " bytes");
        return std::string();
    };
    const Operation& o = call.operation;
    const auto typeD = static_cast<std::int32_t>(call.d.type);
    std::string wrong = check(call.aData, call.a.span(), call.a.type, "an A", algorithm.alignment);
    if (wrong.empty()) wrong = check(call.bData, call.b.span(), call.b.type, "a B", algorithm.alignment);
    if (wrong.empty() && call.beta != 0) wrong = check(call.cData, call.c.span(), typeD, "a C", algorithm.alignment);
    if (wrong.empty()) wrong = check(call.dData, call.d.span(), typeD, "a D", algorithm.alignment);
    if (wrong.empty() && (o.addsBias() || o.sumsGradient() || o.sumsFactor()))
        wrong = check(o.bias, call.biasLength(), typeD, "a bias", 16);
    if (wrong.empty() && o.hasAuxiliary()) {
        const std::int64_t elements = (call.columns() - 1) * o.auxiliaryLeading + call.rows();
        const bool isMask = o.isRelu() || o.isReluGradient();
        wrong = check(o.auxiliary, isMask ? (elements + 31) / 32 : elements, isMask ? CUDA_R_32F : typeD,
                      "an auxiliary matrix", 16);
    }
    if (wrong.empty() && algorithm.workspaceBytes > 0 &&
        (workspaceBytes < algorithm.workspaceBytes ||
         gpu().memory.placeOf(workspace, algorithm.workspaceBytes) != Memory::Place::Device))
        wrong = str("a workspace of ", workspaceBytes, " bytes where ", algorithm.workspaceBytes, " are needed");
    return wrong;
}

} // namespace

cublasStatus_t multiply(cublasLtHandle_t, cublasLtMatmulDesc_t operation, const void* alpha, const void* a,
                        cublasLtMatrixLayout_t layoutA, const void* b, cublasLtMatrixLayout_t layoutB, const void* beta,
                        const void* c, cublasLtMatrixLayout_t layoutC, void* d, cublasLtMatrixLayout_t layoutD,
                        const cublasLtMatmulAlgo_t* algorithm, void* workspace, std::size_t workspaceBytes,
                        cudaStream_t stream)
{
    ProductCall call = describe(operation, layoutA, layoutB, layoutC, layoutD);
    call.aData = a, call.bData = b, call.cData = c, call.dData = d;
    std::memcpy(&call.alpha, alpha, sizeof call.alpha);
    std::memcpy(&call.beta, beta, sizeof call.beta);
    std::string why;
    if (const cublasStatus_t status = checkProduct(call, why); status != CUBLAS_STATUS_SUCCESS)
        return refuse(status, why);
    const Algorithm ours = algorithm != nullptr
                               ? unpack(algorithm)
                               : Algorithm{kMark, CUBLASLT_REDUCTION_SCHEME_NONE, 1, 16, 0, hashOf(call)};
    if (ours.mark != kMark || ours.problem != hashOf(call))
        return refuse(CUBLAS_STATUS_NOT_SUPPORTED, "an algorithm that was found for another product");
    if (why = checkOperands(call, ours, workspace, workspaceBytes); !why.empty())
        return refuse(CUBLAS_STATUS_INVALID_VALUE, why);
    call.parts = ours.parts;
    const cudaError_t error = enqueueKernel(
        stream,
        [call, workspace, bytes = ours.workspaceBytes]() -> std::string {
            if (bytes > 0) std::memset(workspace, 0x5A, bytes); // it is the algorithm's
            computeProduct(call);
            return {};
        },
        d);
    return error == cudaSuccess ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_EXECUTION_FAILED;
}

} // namespace millrace::kernels::cuda::simulated
