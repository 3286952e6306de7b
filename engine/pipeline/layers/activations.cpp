// Layers that bend each value by itself, and the softmax.
#include "engine/pipeline/layers/layers.h"

namespace millrace::pipeline::layers {

namespace {
// Layers that are one operation without attributes, called as the layer is.
Built addNamesake(Site& site)
{
    return site.output(site.layer().spec.type.substr(std::string_view("layer.").size()), site.inputs());
}

Built addLeakyRelu(Site& site)
{
    return site.output("leaky_relu", site.inputs(), {{"slope", site.number("slope")}});
}

Built addElu(Site& site)
{
    return site.output("elu", site.inputs(), {{"alpha", site.number("alpha")}});
}

Built addGelu(Site& site)
{
    const std::string approximate = site.text("form") == "tanh" ? "tanh" : "none";
    return site.output("gelu", site.inputs(), {{"approximate", approximate}});
}

Row simple(std::string type, std::string title, std::string help, std::string formula, std::string source = {})
{
    return {layerType(std::move(type), std::move(title), "Activation", std::move(help), std::move(formula),
                      std::move(source)),
            addNamesake};
}

Row leakyRelu()
{
    Row row = simple("layer.leaky_relu", "Leaky ReLU", "A ReLU that lets a little of negative values through.",
                     "y = x where x > 0, else slope · x", "Maas, Hannun, Ng 2013, ICML workshop.");
    row.add = addLeakyRelu;
    row.spec.params = {numberParam("slope", "Slope", "Part of negative values that is let through.", 0.01, 0, 1)};
    return row;
}

Row gelu()
{
    Row row = simple("layer.gelu", "GELU",
                     "A smooth ReLU: each value times the chance that a standard normal number is smaller.",
                     "y = x · Φ(x), or with tanh y = x/2 · (1 + tanh(√(2/π)(x + 0.044715x³)))",
                     "Hendrycks, Gimpel 2016, arXiv:1606.08415.");
    row.add = addGelu;
    row.spec.params = {choiceParam("form", "Form",
                                   "exact: by the error function. tanh: its approximation, as in GPT-2.",
                                   {"exact", "tanh"}, "exact")};
    return row;
}

Row elu()
{
    Row row =
        simple("layer.elu", "ELU", "A ReLU that bends smoothly towards a negative floor.",
               "y = x where x > 0, else alpha · (e^x − 1)", "Clevert, Unterthiner, Hochreiter 2016, arXiv:1511.07289.");
    row.add = addElu;
    row.spec.params = {numberParam("alpha", "Alpha", "Depth of the floor.", 1, 0, 100)};
    return row;
}
} // namespace

std::vector<Row> activations()
{
    return {
        simple("layer.relu", "ReLU", "Lets positive values through and makes the others zero.", "y = max(0, x)"),
        leakyRelu(),
        gelu(),
        simple("layer.silu", "SiLU", "Each value times its sigmoid; also called swish.", "y = x / (1 + e^−x)",
               "Elfwing, Uchibe, Doya 2018, arXiv:1702.03118."),
        elu(),
        simple("layer.tanh", "Tanh", "Squeezes values into −1 … 1.", "y = tanh(x)"),
        simple("layer.sigmoid", "Sigmoid", "Squeezes values into 0 … 1.", "y = 1 / (1 + e^−x)"),
        simple("layer.softplus", "Softplus", "A smooth ReLU that is never zero.", "y = log(1 + e^x)",
               "Dugas et al. 2001, NIPS 13."),
        simple("layer.softmax", "Softmax",
               "Makes the last axis positive with sum 1. Not for the end of a classifier: its loss and its prediction "
               "apply it.",
               "y[c] = e^x[c] / Σ e^x[k]"),
        simple("layer.log_softmax", "Log-softmax",
               "The logarithm of the softmax over the last axis. Not for the end of a classifier: its loss applies "
               "it.",
               "y[c] = x[c] − log Σ e^x[k]"),
    };
}

} // namespace millrace::pipeline::layers
