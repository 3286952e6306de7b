// LAMB: Adam's direction, as long for each tensor as the tensor's weights ask. Three launches over all tensors: the
// first moves the moments and sums up each piece's norms, the second adds the pieces of each tensor, in order, and
// finds its rate, the third computes the direction once more rather than keep it.
#include "kernels/cuda/optimizers/pass.h"

namespace millrace::kernels::cuda {

namespace {

struct LambRule
{
    float decay, beta1, newer1, beta2, newer2, firstScale, secondScale, epsilon;
    __device__ LambRule(const Lamb& options, const StepControl& control, double weightDecay)
        : decay(static_cast<float>(weightDecay)), beta1(static_cast<float>(options.beta1)),
          newer1(static_cast<float>(1 - options.beta1)), beta2(static_cast<float>(options.beta2)),
          newer2(static_cast<float>(1 - options.beta2)),
          firstScale(static_cast<float>(1 / (1 - pow(options.beta1, static_cast<double>(control.update))))),
          secondScale(static_cast<float>(1 / sqrt(1 - pow(options.beta2, static_cast<double>(control.update))))),
          epsilon(static_cast<float>(options.epsilon))
    {
    }
    __device__ float direction(float w, float m, float v) const
    {
        return firstScale * m / (sqrtf(v) * secondScale + epsilon) + decay * w;
    }
};

/// Squared.
struct Norms
{
    double weights = 0, direction = 0;
};

/// The pieces of one segment.
struct Range
{
    std::uint32_t first = 0, count = 0, decays = 0;
};

__global__ void moveMoments(const Piece* pieces, const LambRule* rules, PassBuffers at, Norms* norms)
{
    if (at.outcome->finite == 0) return;
    const Piece piece = pieces[blockIdx.x];
    const LambRule rule = rules[piece.decays];
    const float factor = at.outcome->gradientFactor;
    Norms sums;
    for (std::uint64_t first = firstGroupOf(piece); first < piece.end; first += kPassStride) {
        const Group group(first, piece.begin, piece.end);
        float w[Group::kSize], g[Group::kSize], m[Group::kSize], v[Group::kSize];
        group.load(at.weights, w);
        group.load(at.gradients, g);
        group.load(at.first, m);
        group.load(at.second, v);
        for (int i = 0; i < Group::kSize; ++i) {
            const float gradient = g[i] * factor;
            m[i] = rule.beta1 * m[i] + rule.newer1 * gradient;
            v[i] = rule.beta2 * v[i] + rule.newer2 * (gradient * gradient);
            const auto weight = static_cast<double>(w[i]);
            const auto direction = static_cast<double>(rule.direction(w[i], m[i], v[i]));
            sums.weights += weight * weight;
            if (group.has(i)) sums.direction += direction * direction;
        }
        group.store(at.first, m);
        group.store(at.second, v);
    }
    sums.weights = blockSum(sums.weights);
    sums.direction = blockSum(sums.direction);
    if (threadIdx.x == 0) norms[blockIdx.x] = sums;
}

/// A block for each segment.
__global__ void findRates(const Range* ranges, const Norms* norms, const StepControl* control, float* rates)
{
    const Range range = ranges[blockIdx.x];
    Norms sums;
    for (std::uint32_t i = threadIdx.x; i < range.count; i += blockDim.x) {
        sums.weights += norms[range.first + i].weights;
        sums.direction += norms[range.first + i].direction;
    }
    sums.weights = blockSum(sums.weights);
    sums.direction = blockSum(sums.direction);
    if (threadIdx.x != 0) return;
    const bool adapts = range.decays != 0 && sums.weights > 0 && sums.direction > 0;
    const double ratio = adapts ? sqrt(sums.weights / sums.direction) : 1;
    rates[blockIdx.x] = static_cast<float>(control->learningRate * ratio);
}

__global__ void moveWeights(const Piece* pieces, const LambRule* rules, PassBuffers at, const float* rates)
{
    if (at.outcome->finite == 0) return;
    const Piece piece = pieces[blockIdx.x];
    const LambRule rule = rules[piece.decays];
    const float rate = rates[piece.segment];
    for (std::uint64_t first = firstGroupOf(piece); first < piece.end; first += kPassStride) {
        const Group group(first, piece.begin, piece.end);
        float w[Group::kSize], m[Group::kSize], v[Group::kSize];
        group.load(at.weights, w);
        group.load(at.first, m);
        group.load(at.second, v);
        for (int i = 0; i < Group::kSize; ++i) w[i] -= rate * rule.direction(w[i], m[i], v[i]);
        group.store(at.weights, w);
        storeMirror(at.mirror, at.control->counter, group, w);
    }
}

class LambUpdate final : public Update
{
public:
    LambUpdate(Context& context, const Lamb& options)
        : m_context(context), m_options(options), m_pieces(context), m_ranges(context)
    {
    }

    Status prepare(std::span<const Segment> segments)
    {
        const std::vector<Piece> pieces = piecesOf(segments);
        std::vector<Range> ranges(segments.size());
        for (std::uint32_t i = 0; i < pieces.size(); ++i) {
            Range& range = ranges[pieces[i].segment];
            if (range.count == 0) range = {i, 0, pieces[i].decays};
            range.count += 1;
        }
        MR_CHECK(m_pieces.upload(pieces));
        return m_ranges.upload(ranges);
    }

    std::uint64_t scratchBytes() const override
    {
        return 2 * sizeof(LambRule) + m_pieces.size() * sizeof(Norms) + m_ranges.size() * sizeof(float);
    }

    void run(const UpdateOperands& operands) override
    {
        if (m_pieces.size() == 0) return;
        auto* norms = reinterpret_cast<Norms*>(operands.scratch);
        auto* rules = reinterpret_cast<LambRule*>(norms + m_pieces.size());
        auto* rates = reinterpret_cast<float*>(rules + 2);
        const dim3 pieces(static_cast<unsigned>(m_pieces.size())), threads(kPassThreads);
        const PassBuffers buffers(operands);
        launch(m_context, prepareRules<LambRule, Lamb>, dim3(1), dim3(2), 0, m_options, operands.control, rules);
        launch(m_context, moveMoments, pieces, threads, 0, m_pieces.data(), rules, buffers, norms);
        launch(m_context, findRates, dim3(static_cast<unsigned>(m_ranges.size())), threads, 0, m_ranges.data(), norms,
               operands.control, rates);
        launch(m_context, moveWeights, pieces, threads, 0, m_pieces.data(), rules, buffers, rates);
    }

private:
    Context& m_context;
    Lamb m_options;
    DeviceTable<Piece> m_pieces;
    DeviceTable<Range> m_ranges;
};

} // namespace

UpdateResult makeLamb(Context& context, const Lamb& rule, std::span<const Segment> segments)
{
    auto update = std::make_unique<LambUpdate>(context, rule);
    MR_CHECK(update->prepare(segments));
    return std::unique_ptr<Update>(std::move(update));
}

} // namespace millrace::kernels::cuda
