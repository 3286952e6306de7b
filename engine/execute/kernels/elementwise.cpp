// Operations on each element by itself.
#include "engine/execute/kernels/families.h"
#include "kernels/base/random.h"
#include "kernels/base/text.h"

namespace millrace::execute::families {

namespace {

template <kernels::Nonlinearity kind> kernels::Activation activationOf(const Site& site)
{
    const bool byTanh = kind == kernels::Nonlinearity::GeluExact && site->text("approximate") == "tanh";
    const double parameter = kind == kernels::Nonlinearity::LeakyRelu ? site->number("slope", 0.01)
                             : kind == kernels::Nonlinearity::Elu     ? site->number("alpha", 1)
                                                                      : 0;
    return {byTanh ? kernels::Nonlinearity::GeluTanh : kind, site.input(0).shape.elements(), parameter};
}

template <kernels::Nonlinearity kind> KernelResult makeActivation(const Site& site, Mode, const Factory& f)
{
    return f.makeActivation(activationOf<kind>(site));
}

template <kernels::Nonlinearity kind> KernelResult makeActivationBackward(const Site& site, Mode, const Factory& f)
{
    return f.makeActivationBackward(activationOf<kind>(site));
}

KernelResult makeDropout(const Site& site, Mode mode, const Factory& f)
{
    if (mode == Mode::Inference) return makeCopy(site, mode, f);
    const bool named = site->attributes.contains("stream");
    const std::uint64_t stream =
        named ? static_cast<std::uint64_t>(site->integer("stream")) : streamOf(str("dropout/", site->layer));
    return f.makeDropout({site.input(0).shape.elements(), site->number("probability", 0.5), stream});
}

} // namespace

std::span<const Row> elementwise()
{
    using enum kernels::Nonlinearity;
    static const std::vector<Row> rows = {
        {"relu", makeActivation<Relu>, {in(0)}, {out(0)}},
        {"relu_backward", makeActivationBackward<Relu>, {in(0), in(1)}, {out(0)}},
        {"tanh", makeActivation<Tanh>, {in(0)}, {out(0)}},
        {"tanh_backward", makeActivationBackward<Tanh>, {in(0), in(1)}, {out(0)}},
        {"sigmoid", makeActivation<Sigmoid>, {in(0)}, {out(0)}},
        {"sigmoid_backward", makeActivationBackward<Sigmoid>, {in(0), in(1)}, {out(0)}},
        {"gelu", makeActivation<GeluExact>, {in(0)}, {out(0)}},
        {"gelu_backward", makeActivationBackward<GeluExact>, {in(0), in(1)}, {out(0)}},
        {"leaky_relu", makeActivation<LeakyRelu>, {in(0)}, {out(0)}},
        {"leaky_relu_backward", makeActivationBackward<LeakyRelu>, {in(0), in(1)}, {out(0)}},
        {"silu", makeActivation<Silu>, {in(0)}, {out(0)}},
        {"silu_backward", makeActivationBackward<Silu>, {in(0), in(1)}, {out(0)}},
        {"elu", makeActivation<Elu>, {in(0)}, {out(0)}},
        {"elu_backward", makeActivationBackward<Elu>, {in(0), in(1)}, {out(0)}},
        {"softplus", makeActivation<Softplus>, {in(0)}, {out(0)}},
        {"softplus_backward", makeActivationBackward<Softplus>, {in(0), in(1)}, {out(0)}},
        {"dropout", makeDropout, {in(0)}, {out(0)}},
        {"cast",
         [](const Site& s, Mode, const Factory& f) {
             return f.makeCast({s.output(0).shape.elements(), s.input(0).type, s.output(0).type});
         },
         {in(0)},
         {out(0)}},
        {"multiply",
         [](const Site& s, Mode, const Factory& f) { return f.makeMultiply({s.output(0).shape.elements()}); },
         {in(0), in(1)},
         {out(0)}},
        {"add",
         [](const Site& s, Mode, const Factory& f) { return f.makeAdd({s.output(0).shape.elements()}); },
         {in(0), in(1)},
         {out(0)}},
    };
    return rows;
}

} // namespace millrace::execute::families
