// Muon: the momentum of each matrix is made orthogonal before it is applied; AdamW updates everything else.
//
// The iteration X = (a I + b A + c A A) X needs three products for each of its five rounds. a I is added where the
// polynomial is formed, on the smaller side's square, so that no further pass goes over X. Where the gradient is not
// finite the products still run, on the scratch memory alone, and nothing is applied.
#include "kernels/base/text.h"
#include "kernels/cuda/optimizers/pass.h"
#include "kernels/cuda/products.h"

#include <algorithm>
#include <utility>

namespace millrace::kernels::cuda {

namespace {

constexpr unsigned kMostBlocks = 1024;

/// One matrix of the flat buffer, with what is the same in each step.
struct MatrixRule
{
    std::uint64_t begin, size;
    float kept, newer;         ///< of the momentum
    float ahead, fromMomentum; ///< the direction is ahead g + fromMomentum m
    double decay, shape;       ///< shape: sqrt(max(1, rows / columns))
};

/// The matrix's groups, counted from its first element, are shared out among the grid's threads. Since a matrix begins
/// at a multiple of four, they are groups of the flat buffer as well.
__device__ std::uint64_t firstGroup()
{
    return (std::uint64_t{blockIdx.x} * blockDim.x + threadIdx.x) * Group::kSize;
}

__device__ std::uint64_t groupStride()
{
    return std::uint64_t{gridDim.x} * blockDim.x * Group::kSize;
}

/// Moves the momentum, writes the direction and each block's part of its square.
__global__ void moveMomentum(MatrixRule rule, PassBuffers at, float* direction, double* partial)
{
    if (at.outcome->finite == 0) return;
    const float factor = at.outcome->gradientFactor;
    double square = 0;
    for (std::uint64_t first = firstGroup(); first < rule.size; first += groupStride()) {
        const Group group(rule.begin + first, rule.begin, rule.begin + rule.size), own(first, 0, rule.size);
        float g[Group::kSize], m[Group::kSize];
        group.load(at.gradients, g);
        group.load(at.first, m);
        for (int i = 0; i < Group::kSize; ++i) {
            const float gradient = g[i] * factor;
            m[i] = rule.kept * m[i] + rule.newer * gradient;
            g[i] = rule.ahead * gradient + rule.fromMomentum * m[i];
            square += static_cast<double>(g[i]) * static_cast<double>(g[i]);
        }
        group.store(at.first, m);
        own.store(direction, g);
    }
    square = blockSum(square);
    if (threadIdx.x == 0) partial[blockIdx.x] = square;
}

/// Divides the direction by its norm. Each block adds up the partial squares, all in the same order.
__global__ void normalize(float* direction, std::uint64_t size, const double* partial, int count)
{
    double square = 0;
    for (int i = static_cast<int>(threadIdx.x); i < count; i += static_cast<int>(blockDim.x)) square += partial[i];
    const double norm = sqrt(blockSum(square));
    const auto factor = static_cast<float>(1 / (norm > Muon::kSmallestNorm ? norm : Muon::kSmallestNorm));
    for (std::uint64_t first = firstGroup(); first < size; first += groupStride()) {
        const Group group(first, 0, size);
        float x[Group::kSize];
        group.load(direction, x);
        for (int i = 0; i < Group::kSize; ++i) x[i] *= factor;
        group.store(direction, x);
    }
}

/// square = a I + b gram + c square; both (side, side).
__global__ void formPolynomial(float* square, const float* gram, std::int64_t side, float a, float b, float c)
{
    for (std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < side * side;
         i += std::int64_t{gridDim.x} * blockDim.x) {
        const float unit = i / side == i % side ? a : 0;
        square[i] = c * square[i] + (b * gram[i] + unit);
    }
}

__global__ void moveWeights(MatrixRule rule, PassBuffers at, const float* direction)
{
    if (at.outcome->finite == 0) return;
    const double rate = at.control->learningRate;
    const auto shrink = static_cast<float>(1 - rate * rule.decay), factor = static_cast<float>(-rate * rule.shape);
    for (std::uint64_t first = firstGroup(); first < rule.size; first += groupStride()) {
        const Group group(rule.begin + first, rule.begin, rule.begin + rule.size), own(first, 0, rule.size);
        float w[Group::kSize], x[Group::kSize];
        group.load(at.weights, w);
        own.load(direction, x);
        for (int i = 0; i < Group::kSize; ++i) w[i] = shrink * w[i] + factor * x[i];
        group.store(at.weights, w);
        storeMirror(at.mirror, at.control->counter, group, w);
    }
}

/// The products for matrices of one shape.
struct Iteration
{
    std::int64_t rows, columns;
    Product gram, square, next;

    static Result<Iteration> create(Context& context, std::int64_t R, std::int64_t C)
    {
        const bool wide = R <= C;
        const std::int64_t side = std::min(R, C);
        // of the smaller side: X X^T, or X^T X, whose polynomial then multiplies from the right
        ProductShape gram{.rows = side, .columns = side, .depth = wide ? C : R};
        (wide ? gram.transposeB : gram.transposeA) = true;
        MR_TRY(Product ofGram, Product::create(context, gram));
        MR_TRY(Product ofSquare, Product::create(context, {.rows = side, .columns = side, .depth = side}));
        MR_TRY(Product ofNext, Product::create(context, {.rows = R, .columns = C, .depth = side}));
        return Iteration{R, C, std::move(ofGram), std::move(ofSquare), std::move(ofNext)};
    }
    std::uint64_t scratchBytes() const
    {
        return std::max({gram.scratchBytes(), square.scratchBytes(), next.scratchBytes()});
    }
};

struct Matrix
{
    MatrixRule rule;
    std::size_t iteration; ///< which one has its shape
};

std::uint64_t padded(std::uint64_t bytes)
{
    return (bytes + 255) / 256 * 256;
}

/// The memory of one matrix's iteration, one part after the other.
struct Parts
{
    std::byte* memory = nullptr; ///< null: only to see how much it takes
    std::uint64_t size = 0;
    template <class T> T* take(std::uint64_t count)
    {
        T* part = memory == nullptr ? nullptr : reinterpret_cast<T*>(memory + size);
        size += padded(count * sizeof(T));
        return part;
    }
};

struct Scratch
{
    float *x, *next, *gram, *polynomial;
    double* partial;
    std::byte* products;
    std::uint64_t size;

    Scratch(const Iteration& iteration, std::byte* memory)
    {
        const auto side = static_cast<std::uint64_t>(std::min(iteration.rows, iteration.columns));
        const auto elements = static_cast<std::uint64_t>(iteration.rows * iteration.columns);
        Parts parts{memory};
        x = parts.take<float>(elements);
        next = parts.take<float>(elements);
        gram = parts.take<float>(side * side);
        polynomial = parts.take<float>(side * side);
        partial = parts.take<double>(kMostBlocks);
        products = parts.take<std::byte>(iteration.scratchBytes());
        size = parts.size;
    }
};

class MuonUpdate final : public Update
{
public:
    MuonUpdate(Context& context, const Muon& options) : m_context(context), m_options(options) {}

    Status prepare(std::span<const Segment> segments)
    {
        std::vector<Segment> others;
        for (const Segment& segment : segments) {
            if (segment.rows > 0 && segment.columns > 0)
                MR_CHECK(add(segment));
            else
                others.push_back(segment);
        }
        const Adam adam{.beta1 = m_options.beta1,
                        .beta2 = m_options.beta2,
                        .epsilon = m_options.epsilon,
                        .weightDecay = m_options.weightDecay,
                        .decoupled = true};
        MR_TRY(m_others, makeElementWise(m_context, adam, others));
        return {};
    }

    std::uint64_t scratchBytes() const override
    {
        std::uint64_t most = m_others->scratchBytes();
        for (const Iteration& iteration : m_iterations) most = std::max(most, Scratch(iteration, nullptr).size);
        return most;
    }

    void run(const UpdateOperands& operands) override
    {
        m_others->run(operands);
        for (const Matrix& matrix : m_matrices) update(matrix, operands);
    }

private:
    Status add(const Segment& segment)
    {
        if (segment.begin % Group::kSize != 0)
            return makeError(Code::InvalidArgument, str("Muon: a matrix begins at element ", segment.begin,
                                                        ", expected a multiple of ", Group::kSize, "."));
        const auto found = std::ranges::find_if(m_iterations, [&](const Iteration& iteration) {
            return iteration.rows == segment.rows && iteration.columns == segment.columns;
        });
        const auto index = static_cast<std::size_t>(found - m_iterations.begin());
        if (found == m_iterations.end()) {
            MR_TRY(Iteration iteration, Iteration::create(m_context, segment.rows, segment.columns));
            m_iterations.push_back(std::move(iteration));
        }
        const auto momentum = static_cast<float>(m_options.momentum);
        const auto newer = static_cast<float>(1 - m_options.momentum);
        const double shape = static_cast<double>(segment.rows) / static_cast<double>(segment.columns);
        m_matrices.push_back({{segment.begin, segment.end - segment.begin, momentum, newer,
                               m_options.nesterov ? newer : 0.0F, m_options.nesterov ? momentum : 1.0F,
                               segment.decay ? m_options.weightDecay : 0, std::sqrt(std::max(1.0, shape))},
                              index});
        return {};
    }

    void update(const Matrix& matrix, const UpdateOperands& operands)
    {
        Iteration& iteration = m_iterations[matrix.iteration];
        const Scratch scratch(iteration, operands.scratch);
        const PassBuffers buffers(operands);
        const MatrixRule& rule = matrix.rule;
        const dim3 blocks = someBlocks(static_cast<std::int64_t>(rule.size), kPassStride), threads(kPassThreads);
        launch(m_context, moveMomentum, blocks, threads, 0, rule, buffers, scratch.x, scratch.partial);
        launch(m_context, normalize, blocks, threads, 0, scratch.x, rule.size, scratch.partial,
               static_cast<int>(blocks.x));
        launch(m_context, moveWeights, blocks, threads, 0, rule, buffers, orthogonalize(iteration, scratch));
    }

    /// What is nearly the orthogonal matrix closest to scratch.x; scratch.x and scratch.next take turns.
    const float* orthogonalize(Iteration& iteration, const Scratch& scratch)
    {
        const auto [a, b, c] = Muon::kNewtonSchulz;
        const std::int64_t side = std::min(iteration.rows, iteration.columns);
        const bool wide = iteration.rows <= iteration.columns;
        float *x = scratch.x, *next = scratch.next;
        for (int round = 0; round < Muon::kIterations; ++round) {
            iteration.gram.run({.a = x, .b = x, .d = scratch.gram}, scratch.products);
            iteration.square.run({.a = scratch.gram, .b = scratch.gram, .d = scratch.polynomial}, scratch.products);
            launch(m_context, formPolynomial, someBlocks(side * side, kPassThreads), dim3(kPassThreads), 0,
                   scratch.polynomial, scratch.gram, side, static_cast<float>(a), static_cast<float>(b),
                   static_cast<float>(c));
            const float *left = wide ? scratch.polynomial : x, *right = wide ? x : scratch.polynomial;
            iteration.next.run({.a = left, .b = right, .d = next}, scratch.products);
            std::swap(x, next);
        }
        return x;
    }

    static dim3 someBlocks(std::int64_t n, std::int64_t size)
    {
        return dim3(std::min<unsigned>(blocksFor(n, size).x, kMostBlocks));
    }

    Context& m_context;
    Muon m_options;
    std::unique_ptr<Update> m_others;
    std::vector<Iteration> m_iterations;
    std::vector<Matrix> m_matrices;
};

} // namespace

UpdateResult makeMuon(Context& context, const Muon& rule, std::span<const Segment> segments)
{
    auto update = std::make_unique<MuonUpdate>(context, rule);
    MR_CHECK(update->prepare(segments));
    return std::unique_ptr<Update>(std::move(update));
}

} // namespace millrace::kernels::cuda
