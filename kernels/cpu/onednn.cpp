#include "kernels/cpu/onednn.h"

#include "kernels/base/text.h"
#include "kernels/cpu/parallel.h"

#include <dnnl.hpp>

#include <cstdio>
#include <cstdlib>
#include <new>
#include <vector>
#ifdef _OPENMP
#include <omp.h>
#endif

namespace millrace::kernels::cpu::onednn {

namespace {

using dnnl::memory;

/// oneDNN takes as many threads as OpenMP would give the calling thread; this sets that for a scope.
class ThreadLimit
{
public:
#ifdef _OPENMP
    explicit ThreadLimit(int threads) : m_before(omp_get_max_threads())
    {
        omp_set_num_threads(threads);
    }
    ~ThreadLimit()
    {
        omp_set_num_threads(m_before);
    }

private:
    int m_before;
#else
    explicit ThreadLimit(int) {}
#endif
};

#if DNNL_VERSION_MAJOR >= 3
template <class Primitive, class... Dimensions>
auto describeForward(const dnnl::engine& engine, const dnnl::primitive_attr& attributes,
                     const Dimensions&... dimensions)
{
    return typename Primitive::primitive_desc(engine, dnnl::prop_kind::forward_training,
                                              dnnl::algorithm::convolution_direct, dimensions..., attributes);
}
template <class Primitive, class Hint, class... Dimensions>
auto describeBackward(const dnnl::engine& engine, const dnnl::primitive_attr& attributes, const Hint& hint,
                      const Dimensions&... dimensions)
{
    return typename Primitive::primitive_desc(engine, dnnl::algorithm::convolution_direct, dimensions..., hint,
                                              attributes);
}
#else
template <class Primitive, class... Dimensions>
auto describeForward(const dnnl::engine& engine, const dnnl::primitive_attr& attributes,
                     const Dimensions&... dimensions)
{
    const typename Primitive::desc description(dnnl::prop_kind::forward_training, dnnl::algorithm::convolution_direct,
                                               dimensions...);
    return typename Primitive::primitive_desc(description, attributes, engine);
}
template <class Primitive, class Hint, class... Dimensions>
auto describeBackward(const dnnl::engine& engine, const dnnl::primitive_attr& attributes, const Hint& hint,
                      const Dimensions&... dimensions)
{
    const typename Primitive::desc description(dnnl::algorithm::convolution_direct, dimensions...);
    return typename Primitive::primitive_desc(description, attributes, engine, hint);
}
#endif

constexpr std::uint64_t roundedUp(std::uint64_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

/// A prepared execution can only fail by a bug, ours or oneDNN's; there is no way on from wrong numbers.
void require(dnnl_status_t status, const char* what)
{
    if (status == dnnl_success) return;
    std::fprintf(stderr, "oneDNN failed in %s with status %d.\n", what, static_cast<int>(status));
    std::abort();
}

struct Operand
{
    int name; ///< DNNL_ARG_…
    memory tensor;
};

/// A primitive with its operands, executed through the C interface, which takes a plain array.
class Call
{
public:
    Call(dnnl::primitive primitive, std::vector<Operand> operands)
        : m_primitive(std::move(primitive)), m_operands(std::move(operands))
    {
        for (const auto& [name, tensor] : m_operands) m_arguments.push_back({name, tensor.get()});
    }
    void run(const dnnl::stream& stream, const char* what) const
    {
        require(dnnl_primitive_execute(m_primitive.get(), stream.get(), static_cast<int>(m_arguments.size()),
                                       m_arguments.data()),
                what);
    }

private:
    dnnl::primitive m_primitive;
    std::vector<Operand> m_operands; // keeps what m_arguments points to
    std::vector<dnnl_exec_arg_t> m_arguments;
};

void point(const memory& tensor, const void* values)
{
    tensor.set_data_handle(const_cast<void*>(values)); // oneDNN's interface does not know const; inputs are only read
}

/// The dimensions of a convolution as oneDNN takes them; the layout of the weights is oneDNN's choice.
struct Geometry
{
    explicit Geometry(const Conv2d& c)
        : image({c.batch, c.channels, c.height, c.width}, memory::data_type::f32, memory::format_tag::nhwc),
          result({c.batch, c.outputChannels, c.outputHeight(), c.outputWidth()}, memory::data_type::f32,
                 memory::format_tag::nhwc),
          bias({c.outputChannels}, memory::data_type::f32, memory::format_tag::a), strides{c.strideHeight,
                                                                                           c.strideWidth},
          dilation{c.dilationHeight - 1, c.dilationWidth - 1}, padding{c.padHeight, c.padWidth}
    {
        const std::int64_t perGroup = c.channels / c.groups, row = c.kernelWidth * perGroup, one = c.kernelHeight * row;
        memory::dims sizes{c.outputChannels / c.groups, perGroup, c.kernelHeight, c.kernelWidth};
        memory::dims steps{one, 1, row, perGroup};
        if (c.groups > 1) {
            sizes.insert(sizes.begin(), c.groups);
            steps.insert(steps.begin(), c.outputChannels / c.groups * one);
        }
        weight = memory::desc(sizes, memory::data_type::f32, steps);
        anyWeight = memory::desc(sizes, memory::data_type::f32, memory::format_tag::any);
    }

    memory::desc image, result, bias, weight, anyWeight;
    memory::dims strides, dilation, padding;
};

} // namespace

void multiply(std::int64_t m, std::int64_t n, std::int64_t k, Matrix a, Matrix b, bool accumulate, float* c,
              int threads)
{
    const ThreadLimit limit(threadsFor(2.0 * static_cast<double>(m) * static_cast<double>(n * k), threads));
    require(dnnl_sgemm(a.transposed ? 'T' : 'N', b.transposed ? 'T' : 'N', m, n, k, 1.0F, a.values, a.columns, b.values,
                       b.columns, accumulate ? 1.0F : 0.0F, c, n),
            "a matrix product");
}

struct Convolution::State
{
    State(const Conv2d& conv, Part convolutionPart, int threadCount)
        : part(convolutionPart), threads(threadCount), engine(dnnl::engine::kind::cpu, 0), stream(engine),
          geometry(conv)
    {
        attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
        const Geometry& g = geometry;
        const auto forward = describeForward<dnnl::convolution_forward>(
            engine, attributes, g.image, g.anyWeight, g.bias, g.result, g.strides, g.dilation, g.padding, g.padding);
        switch (part) {
        case Part::Forward:
            prepare<dnnl::convolution_forward>(forward, forward.weights_desc(),
                                               {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST, DNNL_ARG_BIAS});
            break;
        case Part::BackwardData: {
            const auto description = describeBackward<dnnl::convolution_backward_data>(
                engine, attributes, forward, g.image, g.anyWeight, g.result, g.strides, g.dilation, g.padding,
                g.padding);
            prepare<dnnl::convolution_backward_data>(description, description.weights_desc(),
                                                     {DNNL_ARG_DIFF_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DIFF_DST});
            break;
        }
        case Part::BackwardWeights: {
            const auto description = describeBackward<dnnl::convolution_backward_weights>(
                engine, attributes, forward, g.image, g.anyWeight, g.bias, g.result, g.strides, g.dilation, g.padding,
                g.padding);
            prepare<dnnl::convolution_backward_weights>(
                description, description.diff_weights_desc(),
                {DNNL_ARG_SRC, DNNL_ARG_DIFF_WEIGHTS, DNNL_ARG_DIFF_DST, DNNL_ARG_DIFF_BIAS});
            break;
        }
        }
    }

    struct Names ///< DNNL_ARG_… of the operands
    {
        int image, weight, result;
        int bias = kNone;
    };
    static constexpr int kNone = 0;

    template <class Primitive>
    void prepare(const typename Primitive::primitive_desc& description, const memory::desc& layout, Names names)
    {
        image = memory(geometry.image, engine, DNNL_MEMORY_NONE);
        bias = memory(geometry.bias, engine, DNNL_MEMORY_NONE);
        result = memory(geometry.result, engine, DNNL_MEMORY_NONE);
        weight = memory(geometry.weight, engine, DNNL_MEMORY_NONE);
        chosenWeight = memory(layout, engine, DNNL_MEMORY_NONE);
        std::uint64_t padBytes = description.scratchpad_desc().get_size();
        const memory pad(description.scratchpad_desc(), engine, DNNL_MEMORY_NONE);
        std::vector<Operand> operands{
            {names.image, image}, {names.weight, chosenWeight}, {names.result, result}, {DNNL_ARG_SCRATCHPAD, pad}};
        if (names.bias != kNone) operands.push_back({names.bias, bias});
        pads.push_back(pad);
        convolution = std::make_unique<Call>(Primitive(description), std::move(operands));

        if (layout != geometry.weight) {
            chosenBytes = roundedUp(layout.get_size());
            const bool inward = part != Part::BackwardWeights;
            const memory &from = inward ? weight : chosenWeight, &to = inward ? chosenWeight : weight;
            const dnnl::reorder::primitive_desc reordering(from, to, attributes);
            const memory reorderPad(reordering.scratchpad_desc(), engine, DNNL_MEMORY_NONE);
            padBytes = std::max<std::uint64_t>(padBytes, reordering.scratchpad_desc().get_size());
            pads.push_back(reorderPad);
            reorder = std::make_unique<Call>(
                dnnl::reorder(reordering),
                std::vector<Operand>{{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}, {DNNL_ARG_SCRATCHPAD, reorderPad}});
        }
        scratchBytes = chosenBytes + roundedUp(padBytes);
    }

    Part part;
    int threads;
    dnnl::engine engine;
    dnnl::stream stream;
    Geometry geometry;
    dnnl::primitive_attr attributes;
    memory image, weight, chosenWeight, bias, result; ///< chosenWeight: in the layout that oneDNN asked for
    std::vector<memory> pads;                         ///< working memory of the two calls, which never run at once
    std::uint64_t chosenBytes = 0, scratchBytes = 0;
    std::unique_ptr<Call> convolution, reorder; ///< no reorder where our layout is the one that oneDNN wants
};

Convolution::Convolution(std::unique_ptr<State> state) : m_state(std::move(state)) {}

Convolution::~Convolution() = default;

Result<std::unique_ptr<Convolution>> Convolution::create(const Conv2d& conv, Part part, int threads)
{
    const ThreadLimit limit(threads);
    try {
        return std::unique_ptr<Convolution>(new Convolution(std::make_unique<State>(conv, part, threads)));
    } catch (const dnnl::error& error) {
        const Code code = error.status == dnnl_out_of_memory ? Code::OutOfMemory : Code::Unsupported;
        return makeError(code, str("oneDNN cannot prepare the convolution: ", error.what(), "."));
    } catch (const std::bad_alloc&) {
        return makeError(Code::OutOfMemory, "Not enough memory to prepare the convolution.");
    }
}

std::uint64_t Convolution::scratchBytes() const
{
    return m_state->scratchBytes;
}

void Convolution::run(const Operands& operands, std::byte* scratch)
{
    State& s = *m_state;
    const ThreadLimit limit(s.threads);
    point(s.image, operands.image);
    point(s.bias, operands.bias);
    point(s.result, operands.result);
    point(s.weight, operands.weight);
    point(s.chosenWeight, s.reorder ? static_cast<const void*>(scratch) : operands.weight);
    for (const memory& pad : s.pads) point(pad, scratch + s.chosenBytes);
    if (s.reorder && s.part != Part::BackwardWeights) s.reorder->run(s.stream, "a reorder of weights");
    s.convolution->run(s.stream, "a convolution");
    if (s.reorder && s.part == Part::BackwardWeights) s.reorder->run(s.stream, "a reorder of weights");
}

} // namespace millrace::kernels::cpu::onednn
