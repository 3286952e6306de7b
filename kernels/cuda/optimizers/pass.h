// One pass over all segments by a rule for one element: what every element-wise optimiser does. Only .cu files include
// this.
//
// A captured step is replayed with another learning rate and another t, so both are read from the device's memory. The
// powers and roots of them are the same for all elements: one tiny launch computes them in f64, for segments that decay
// and for those that do not, and the pass over the elements has none of it in its registers.
#pragma once

#include "kernels/cuda/optimizers/mirror.h"
#include "kernels/cuda/optimizers/pieces.h"
#include "kernels/cuda/optimizers/updates.h"

namespace millrace::kernels::cuda {

constexpr unsigned kPassThreads = 256;

/// The operands as kernels take them.
struct PassBuffers
{
    explicit PassBuffers(const UpdateOperands& operands)
        : weights(operands.weights), gradients(operands.gradients), first(operands.state[0]),
          second(operands.state.size() > 1 ? operands.state[1] : nullptr), mirror(Mirror::of(operands)),
          control(operands.control), outcome(operands.outcome)
    {
    }
    float* weights;
    const float* gradients;
    float *first, *second; ///< states
    Mirror mirror;
    const StepControl* control;
    const StepOutcome* outcome;
};

/// The first group of a thread in a piece; the next one is kPassStride further.
inline __device__ std::uint64_t firstGroupOf(const Piece& piece)
{
    return piece.begin / Group::kSize * Group::kSize + std::uint64_t{threadIdx.x} * Group::kSize;
}
constexpr std::uint64_t kPassStride = kPassThreads * Group::kSize;

/// A Rule has a constructor (options, control, weightDecay), kStates and (w, g, first state[, second state]).
template <class Rule, class Options>
__global__ void prepareRules(Options options, const StepControl* control, Rule* rules)
{
    rules[threadIdx.x] = Rule(options, *control, threadIdx.x == 1 ? options.weightDecay : 0);
}

template <class Rule> __global__ void passKernel(const Piece* pieces, const Rule* rules, PassBuffers at)
{
    if (at.outcome->finite == 0) return;
    const Piece piece = pieces[blockIdx.x];
    const Rule rule = rules[piece.decays];
    const float factor = at.outcome->gradientFactor;
    for (std::uint64_t first = firstGroupOf(piece); first < piece.end; first += kPassStride) {
        const Group group(first, piece.begin, piece.end);
        float w[Group::kSize], g[Group::kSize], a[Group::kSize], b[Group::kSize];
        group.load(at.weights, w);
        group.load(at.gradients, g);
        group.load(at.first, a);
        if constexpr (Rule::kStates == 2) group.load(at.second, b);
        for (int i = 0; i < Group::kSize; ++i) {
            if constexpr (Rule::kStates == 2)
                rule(w[i], g[i] * factor, a[i], b[i]);
            else
                rule(w[i], g[i] * factor, a[i]);
        }
        group.store(at.weights, w);
        group.store(at.first, a);
        if constexpr (Rule::kStates == 2) group.store(at.second, b);
        storeMirror(at.mirror, at.control->counter, group, w);
    }
}

template <class Rule, class Options> class ElementWise final : public Update
{
public:
    static UpdateResult create(Context& context, const Options& options, std::span<const Segment> segments)
    {
        std::unique_ptr<ElementWise> update(new ElementWise(context, options));
        MR_CHECK(update->m_pieces.upload(piecesOf(segments)));
        return std::unique_ptr<Update>(std::move(update));
    }

    std::uint64_t scratchBytes() const override { return 2 * sizeof(Rule); }

    void run(const UpdateOperands& operands) override
    {
        if (m_pieces.size() == 0) return;
        auto* rules = reinterpret_cast<Rule*>(operands.scratch);
        launch(m_context, prepareRules<Rule, Options>, dim3(1), dim3(2), 0, m_options, operands.control, rules);
        launch(m_context, passKernel<Rule>, dim3(static_cast<unsigned>(m_pieces.size())), dim3(kPassThreads), 0,
               m_pieces.data(), rules, PassBuffers(operands));
    }

private:
    ElementWise(Context& context, const Options& options) : m_context(context), m_options(options), m_pieces(context) {}

    Context& m_context;
    Options m_options;
    DeviceTable<Piece> m_pieces;
};

} // namespace millrace::kernels::cuda
