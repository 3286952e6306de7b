// The simulated cuBLASLt against plain loops: epilogues that write and read masks, sums and bias gradients, and what
// the library refuses.
#include "tests/cuda/simulated/faults.h"

#include "kernels/cuda/runtime.h"

#include <QTest>

#include <cmath>
#include <cstring>
#include <vector>

using namespace millrace::kernels::cuda;

namespace {

/// M rows, N columns, depth K, in columns; D = epilogue(A^T B), A stored (K,M).
constexpr std::int64_t M = 5, N = 7, K = 3, kMaskRows = 128;

struct Bench
{
    const Runtime& call = runtime();
    cudaStream_t stream = nullptr;
    cublasLtHandle_t handle = nullptr;
    cublasLtMatmulDesc_t operation = nullptr;
    cublasLtMatrixLayout_t a = nullptr, b = nullptr, d = nullptr;
    float *host = nullptr, *device = nullptr;
    static constexpr std::size_t kCount = 1024;
    // places in the memory, in elements
    static constexpr std::size_t kA = 0, kB = 64, kD = 128, kBias = 256, kMask = 320;

    Bench()
    {
        simulated::restart();
        void* memory = nullptr;
        call.cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
        call.cudaMalloc(&memory, kCount * sizeof(float));
        device = static_cast<float*>(memory);
        call.cudaHostAlloc(&memory, kCount * sizeof(float), cudaHostAllocDefault);
        host = static_cast<float*>(memory);
        for (std::size_t i = 0; i < kCount; ++i) host[i] = std::sin(static_cast<float>(i));
        call.cublasLtCreate(&handle);
        call.cublasLtMatmulDescCreate(&operation, CUBLAS_COMPUTE_32F, CUDA_R_32F);
        call.cublasLtMatrixLayoutCreate(&a, CUDA_R_32F, K, M, K);
        call.cublasLtMatrixLayoutCreate(&b, CUDA_R_32F, K, N, K);
        call.cublasLtMatrixLayoutCreate(&d, CUDA_R_32F, M, N, M);
        set(CUBLASLT_MATMUL_DESC_TRANSA, CUBLAS_OP_T);
    }
    template <class T> cublasStatus_t set(cublasLtMatmulDescAttributes_t attribute, const T& value)
    {
        return call.cublasLtMatmulDescSetAttribute(operation, attribute, &value, sizeof value);
    }
    cublasStatus_t run(cublasLtEpilogue_t epilogue, std::int64_t maskRows = kMaskRows)
    {
        set(CUBLASLT_MATMUL_DESC_EPILOGUE, epilogue);
        set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, device + kBias);
        set(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, device + kMask);
        set(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, maskRows);
        const float one = 1, zero = 0;
        call.cudaMemcpyAsync(device, host, kCount * sizeof(float), cudaMemcpyHostToDevice, stream);
        const cublasStatus_t status =
            call.cublasLtMatmul(handle, operation, &one, device + kA, a, device + kB, b, &zero, device + kD, d,
                                device + kD, d, nullptr, nullptr, 0, stream);
        call.cudaMemcpyAsync(host, device, kCount * sizeof(float), cudaMemcpyDeviceToHost, stream);
        call.cudaStreamSynchronize(stream);
        return status;
    }
    double product(std::int64_t m, std::int64_t n) const
    {
        double sum = 0;
        for (std::int64_t k = 0; k < K; ++k)
            sum += static_cast<double>(host[kA + static_cast<std::size_t>(m * K + k)]) *
                   static_cast<double>(host[kB + static_cast<std::size_t>(n * K + k)]);
        return sum;
    }
    double result(std::int64_t m, std::int64_t n) const
    {
        return static_cast<double>(host[kD + static_cast<std::size_t>(n * M + m)]);
    }
};

bool isNear(double a, double b)
{
    return std::abs(a - b) < 1e-5;
}

} // namespace

class ProductsTest : public QObject
{
    Q_OBJECT

private slots:
    void keepsWhatReluLetThrough()
    {
        Bench bench;
        std::vector<double> bias(bench.host + Bench::kBias, bench.host + Bench::kBias + M);
        QCOMPARE(bench.run(CUBLASLT_EPILOGUE_RELU_AUX_BIAS), CUBLAS_STATUS_SUCCESS);
        std::vector<bool> passed;
        for (std::int64_t n = 0; n < N; ++n) {
            for (std::int64_t m = 0; m < M; ++m) {
                const double value = bench.product(m, n) + bias[static_cast<std::size_t>(m)];
                QVERIFY(isNear(bench.result(m, n), std::max(value, 0.0)));
                passed.push_back(value > 0);
            }
        }
        // the gradient lets the same through, and sums it over columns
        QCOMPARE(bench.run(CUBLASLT_EPILOGUE_DRELU_BGRAD), CUBLAS_STATUS_SUCCESS);
        std::vector<double> sums(M, 0.0);
        for (std::int64_t n = 0; n < N; ++n) {
            for (std::int64_t m = 0; m < M; ++m) {
                const double expected = passed[static_cast<std::size_t>(n * M + m)] ? bench.product(m, n) : 0;
                QVERIFY(isNear(bench.result(m, n), expected));
                sums[static_cast<std::size_t>(m)] += expected;
            }
        }
        for (std::size_t m = 0; m < sums.size(); ++m)
            QVERIFY(isNear(static_cast<double>(bench.host[Bench::kBias + m]), sums[m]));
    }

    void sumsTheFactors()
    {
        Bench bench;
        for (const auto& [epilogue, length, at] :
             {std::tuple(CUBLASLT_EPILOGUE_BGRADA, M, Bench::kA), std::tuple(CUBLASLT_EPILOGUE_BGRADB, N, Bench::kB)}) {
            QCOMPARE(bench.run(epilogue), CUBLAS_STATUS_SUCCESS);
            for (std::int64_t i = 0; i < length; ++i) {
                double sum = 0;
                for (std::int64_t k = 0; k < K; ++k)
                    sum += static_cast<double>(bench.host[at + static_cast<std::size_t>(i * K + k)]);
                QVERIFY(isNear(static_cast<double>(bench.host[Bench::kBias + static_cast<std::size_t>(i)]), sum));
            }
        }
    }

    void refusesWhatTheLibraryRefuses()
    {
        Bench bench;
        QCOMPARE(bench.run(CUBLASLT_EPILOGUE_RELU_AUX, 64), CUBLAS_STATUS_NOT_SUPPORTED);
        QCOMPARE(bench.run(CUBLASLT_EPILOGUE_GELU_AUX, 12), CUBLAS_STATUS_NOT_SUPPORTED);
        QCOMPARE(bench.run(CUBLASLT_EPILOGUE_GELU_AUX, 8), CUBLAS_STATUS_SUCCESS);
        QCOMPARE(bench.set(CUBLASLT_MATMUL_DESC_TRANSA, std::int64_t{1}), CUBLAS_STATUS_INVALID_VALUE);
        bench.set(CUBLASLT_MATMUL_DESC_TRANSA, CUBLAS_OP_N); // the shapes do not fit any more
        QCOMPARE(bench.run(CUBLASLT_EPILOGUE_DEFAULT), CUBLAS_STATUS_INVALID_VALUE);
    }
};

QTEST_APPLESS_MAIN(ProductsTest)
#include "products_test.moc"
