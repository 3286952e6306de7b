// Which attention is used: cuDNN's, if it has one for the shape, is compared with our own on random numbers of that
// shape (its fused engines have been wrong for some shapes, and slow for others), and taken where it gives the same and
// is faster. The verdict is kept as every measured choice. MILLRACE_ATTENTION=cudnn or own decides without asking.
#include "kernels/base/random.h"
#include "kernels/base/text.h"
#include "kernels/cuda/algorithm_cache.h"
#include "kernels/cuda/attention_network.h"
#include "kernels/cuda/fastest.h"
#include "kernels/cuda/kernel.h"
#include "kernels/cuda/vectors.h"

#include <cmath>
#include <cstdlib>
#include <vector>

namespace millrace::kernels::cuda {

namespace {

enum Place
{
    kOwn,
    kNetwork
};

constexpr double kTolerance = 2e-2; // of 16-bit results, relative to their norm

struct Operand
{
    std::int64_t elements;
    DType type;
};

/// Both kernels on the same operands.
class Trial
{
public:
    Trial(Context& context, Kernel& own, const TriableKernel& network, std::vector<Operand> inputs,
          std::vector<Operand> outputs)
        : m_context(context), m_own(own), m_network(network), m_inputs(std::move(inputs)), m_outputs(std::move(outputs))
    {
        for (const Operand& operand : m_inputs) m_inputAt.push_back(add(operand));
        for (std::vector<std::uint64_t>& at : m_outputAt)
            for (const Operand& operand : m_outputs) at.push_back(add(operand));
        m_scratchAt = m_layout.add(std::max(own.scratchBytes(), network.scratchBytes()));
    }

    std::uint64_t sizeBytes() const { return m_layout.sizeBytes(); }

    Status run(int place, std::byte* memory) const
    {
        std::vector<const void*> inputs;
        std::vector<void*> outputs;
        for (const std::uint64_t at : m_inputAt) inputs.push_back(memory + at);
        for (const std::uint64_t at : m_outputAt[static_cast<std::size_t>(place)]) outputs.push_back(memory + at);
        const Arguments arguments{.inputs = inputs, .outputs = outputs, .scratch = memory + m_scratchAt};
        if (place == kNetwork) return m_network.attempt(arguments);
        m_own.run(arguments);
        return {};
    }

    /// Random numbers for an input.
    Status fill(std::size_t input, std::byte* memory) const
    {
        constexpr std::int64_t kPeriod = 65537; // prime, so that no row is like another
        const auto [elements, type] = m_inputs[input];
        Random random(20260101, input);
        constexpr std::size_t kBytes = kPeriod * sizeof(float);
        const Runtime& call = m_context.runtime();
        void* pinned = nullptr;
        MR_CHECK(m_context.asStatus(call.cudaHostAlloc(&pinned, kBytes, cudaHostAllocDefault), "pinned memory"));
        const OwnedHostMemory numbers(static_cast<std::byte*>(pinned));
        for (std::int64_t i = 0; i < kPeriod; ++i) static_cast<float*>(pinned)[i] = static_cast<float>(random.normal());
        MR_TRY(const OwnedMemory source, reserveMemory(m_context, kBytes));
        MR_CHECK(m_context.asStatus(
            call.cudaMemcpyAsync(source.get(), pinned, kBytes, cudaMemcpyHostToDevice, m_context.stream()),
            "random numbers"));
        for (std::int64_t first = 0; first < elements; first += kPeriod)
            convert(m_context, memory + m_inputAt[input] + static_cast<std::size_t>(first) * millrace::sizeBytes(type),
                    type, reinterpret_cast<const float*>(source.get()),
                    static_cast<std::uint64_t>(std::min(kPeriod, elements - first)));
        return m_context.asStatus(call.cudaStreamSynchronize(m_context.stream()), "random numbers");
    }

    /// Whether each output of both is the same within the tolerance.
    Result<bool> same(std::byte* memory) const
    {
        MR_TRY(const auto sums, WaitingSums::create(m_context));
        for (std::size_t i = 0; i < m_outputs.size(); ++i) {
            const auto n = static_cast<std::uint64_t>(m_outputs[i].elements);
            MR_TRY(const OwnedMemory own, asF32(memory + m_outputAt[kOwn][i], m_outputs[i]));
            MR_TRY(const OwnedMemory other, asF32(memory + m_outputAt[kNetwork][i], m_outputs[i]));
            auto *expected = reinterpret_cast<float*>(own.get()), *difference = reinterpret_cast<float*>(other.get());
            combine(m_context, difference, -1, expected, 1, n);
            MR_TRY(const double error, sums->dot(difference, difference, n));
            MR_TRY(const double norm, sums->dot(expected, expected, n));
            if (!(std::sqrt(error) <= kTolerance * std::sqrt(norm))) return false; // NaN is not the same
        }
        return true;
    }

    std::byte* input(std::size_t index, std::byte* memory) const { return memory + m_inputAt[index]; }

private:
    std::uint64_t add(const Operand& operand)
    {
        return m_layout.add(static_cast<std::uint64_t>(operand.elements) * millrace::sizeBytes(operand.type));
    }

    Result<OwnedMemory> asF32(const std::byte* values, const Operand& operand) const
    {
        const std::uint64_t bytes = static_cast<std::uint64_t>(operand.elements) * sizeof(float);
        MR_TRY(OwnedMemory result, reserveMemory(m_context, bytes));
        const void* from = values;
        void* to = result.get();
        if (operand.type == DType::F32) {
            MR_CHECK(m_context.asStatus(
                m_context.runtime().cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, m_context.stream()),
                "a copy"));
            return result;
        }
        MR_TRY(const auto cast,
               makeCast(m_context, {.elements = operand.elements, .from = operand.type, .to = DType::F32}));
        cast->run({.inputs = std::span(&from, 1), .outputs = std::span(&to, 1)});
        return result;
    }

    Context& m_context;
    Kernel& m_own;
    const TriableKernel& m_network;
    std::vector<Operand> m_inputs, m_outputs;
    std::vector<std::uint64_t> m_inputAt, m_outputAt[2];
    std::uint64_t m_scratchAt = 0;
    Layout m_layout;
};

/// `prepare` fills the inputs. Whatever goes wrong with cuDNN speaks for our own kernel.
Result<int> judge(Context& context, const std::string& key, const Trial& trial,
                  const std::function<Status(std::byte*)>& prepare)
{
    AlgorithmCache& cache = context.algorithms();
    if (!cache.measures()) return kOwn;
    if (const auto known = cache.find(key, 2)) return known->place;
    const auto compare = [&]() -> Result<bool> {
        MR_TRY(const OwnedMemory memory, reserveMemory(context, trial.sizeBytes()));
        MR_CHECK(prepare(memory.get()));
        MR_CHECK(trial.run(kOwn, memory.get()));
        MR_CHECK(trial.run(kNetwork, memory.get()));
        return trial.same(memory.get());
    };
    const auto same = compare();
    MR_CHECK(context.asStatus(context.runtime().cudaStreamSynchronize(context.stream()), "comparing attention"));
    if (!same && same.error().code == Code::OutOfMemory) return kOwn;
    if (!same || !*same) {
        cache.store(key, {.place = kOwn});
        return kOwn;
    }
    return chooseFastest(context, key, 2, trial.sizeBytes(),
                         [&](int place, std::byte* memory) { return trial.run(place, memory); });
}

/// What MILLRACE_ATTENTION says; empty: nothing.
std::string_view forced()
{
    const char* value = std::getenv("MILLRACE_ATTENTION");
    return value ? value : "";
}

std::string verdictKey(std::string_view direction, const Attention& a, DType type)
{
    return str("attention by cuDNN ", direction, ' ', name(type), ' ', a.batch, 'x', a.steps, 'x', a.width, " heads ",
               a.heads, a.causal ? " causal" : "");
}

} // namespace

KernelResult makeAttention(Context& context, const Attention& a, DType type)
{
    MR_TRY(auto own, makeTiledAttention(context, a, type));
    if (forced() == "own") return own;
    auto network = makeNetworkAttention(context, a, type);
    if (!network) return own;
    const std::int64_t elements = a.batch * a.steps * a.width, rows = a.batch * a.steps * a.heads;
    const Trial trial(context, *own, **network, {{3 * elements, type}}, {{elements, type}, {rows, DType::F32}});
    int place = kNetwork;
    if (forced() != "cudnn") {
        MR_TRY(place, judge(context, verdictKey("forward", a, type), trial,
                            [&](std::byte* memory) { return trial.fill(0, memory); }));
    }
    if (place == kOwn) return own;
    return std::unique_ptr<Kernel>(std::move(*network));
}

KernelResult makeAttentionBackward(Context& context, const Attention& a, DType type)
{
    MR_TRY(auto own, makeTiledAttentionBackward(context, a, type));
    if (forced() == "own") return own;
    auto network = makeNetworkAttentionBackward(context, a, type);
    if (!network) return own;
    const std::int64_t elements = a.batch * a.steps * a.width, rows = a.batch * a.steps * a.heads;
    const Trial trial(context, *own, **network,
                      {{3 * elements, type}, {elements, type}, {rows, DType::F32}, {elements, type}},
                      {{3 * elements, type}});
    // y and logsumexp are those of the random qkv, so that the probabilities are some
    const auto prepare = [&](std::byte* memory) -> Status {
        MR_CHECK(trial.fill(0, memory));
        MR_CHECK(trial.fill(3, memory));
        MR_TRY(const auto forward, makeTiledAttention(context, a, type));
        const void* qkv = trial.input(0, memory);
        void* results[] = {trial.input(1, memory), trial.input(2, memory)};
        MR_TRY(const OwnedMemory scratch, reserveMemory(context, forward->scratchBytes()));
        forward->run({.inputs = std::span(&qkv, 1), .outputs = results, .scratch = scratch.get()});
        return context.asStatus(context.runtime().cudaStreamSynchronize(context.stream()), "attention");
    };
    int place = kNetwork;
    if (forced() != "cudnn") {
        MR_TRY(place, judge(context, verdictKey("backward", a, type), trial, prepare));
    }
    if (place == kOwn) return own;
    return std::unique_ptr<Kernel>(std::move(*network));
}

} // namespace millrace::kernels::cuda
