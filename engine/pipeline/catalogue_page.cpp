#include "engine/pipeline/catalogue_page.h"

#include "engine/pipeline/optimizer_types.h"
#include "engine/pipeline/schedule_types.h"
#include "kernels/base/text.h"
#include "kernels/base/units.h"

#include <algorithm>
#include <cmath>

namespace millrace::pipeline {

namespace {
// Text that stands in a table's cell.
std::string cell(std::string_view text)
{
    std::string escaped;
    for (const char c : text)
        escaped += c == '|' ? std::string("\\|") : c == '\n' ? std::string(" ") : std::string(1, c);
    return escaped;
}

std::string code(std::string_view text)
{
    return str("`", text, "`");
}

std::string codes(const std::vector<std::string>& texts)
{
    std::vector<std::string> quoted;
    for (const std::string& text : texts) quoted.push_back(code(text));
    return joined(quoted, ", ");
}

std::string numeral(double value)
{
    if (std::trunc(value) == value && std::abs(value) >= 1000 && std::abs(value) < 1e16)
        return formatCount(static_cast<std::int64_t>(value));
    return str(value);
}

std::string valueText(const Json& value)
{
    return value.is_number() ? numeral(value.get<double>()) : code(value.dump());
}

std::string defaultText(const ParamSpec& param)
{
    if (param.kind == ParamKind::Layers) return "a small network";
    std::string text = param.defaultValue.is_null() ? std::string("must be given") : valueText(param.defaultValue);
    if (!param.defaultsBy) return text;
    for (const auto& [other, value] : param.defaultsBy->values) text += str("; ", code(other), ": ", valueText(value));
    return text;
}

std::string rangeText(const ParamSpec& param)
{
    if (!param.choices.empty()) return codes(param.choices);
    if (param.minimum && param.maximum) return str(numeral(*param.minimum), " to ", numeral(*param.maximum));
    return "";
}

std::string meaningText(const ParamSpec& param)
{
    if (!param.appliesWhen) return param.help;
    return str(param.help, " Counts where ", code(param.appliesWhen->param), " is ", codes(param.appliesWhen->values),
               ".");
}

void addParams(std::string& page, const std::vector<ParamSpec>& params)
{
    if (params.empty()) return;
    page += "\n| parameter | is | default | allowed | unit | meaning |\n| --- | --- | --- | --- | --- | --- |\n";
    for (const ParamSpec& param : params)
        page += str("| ", code(param.id), " | ", name(param.kind), " | ", cell(defaultText(param)), " | ",
                    cell(rangeText(param)), " | ", param.unit, " | ", cell(meaningText(param)), " |\n");
}

std::string portsText(const std::vector<PortSpec>& ports, bool inputs)
{
    std::vector<std::string> texts;
    for (const PortSpec& port : ports)
        texts.push_back(str(code(port.id), " (", name(port.type), inputs && !port.required ? ", optional" : "", ")"));
    return texts.empty() ? std::string("nothing") : joined(texts, ", ");
}

void addFormulaAndSource(std::string& page, std::string_view formula, std::string_view source)
{
    if (!formula.empty()) page += str("\n    ", formula, "\n");
    if (!source.empty()) page += str("\nSource: ", source, "\n");
}

void addSpec(std::string& page, const NodeSpec& spec)
{
    page += str("\n### ", spec.title, " (", code(spec.type), ")\n\n", spec.help, "\n");
    addFormulaAndSource(page, spec.formula, spec.source);
    page += str("\nTakes ", portsText(spec.inputs, true), "; gives ", portsText(spec.outputs, false), ".\n");
    addParams(page, spec.params);
}

// The categories in the order in which they first occur.
std::vector<std::string> categoriesOf(const Catalogue& catalogue, bool layers)
{
    std::vector<std::string> categories;
    for (const NodeSpec& spec : catalogue.all())
        if (spec.isLayer == layers &&
            std::find(categories.begin(), categories.end(), spec.category) == categories.end())
            categories.push_back(spec.category);
    return categories;
}

void addSpecs(std::string& page, const Catalogue& catalogue, bool layers)
{
    for (const std::string& category : categoriesOf(catalogue, layers)) {
        page += str("\n## ", layers ? "Layers: " : "Nodes: ", category, "\n");
        for (const NodeSpec& spec : catalogue.all())
            if (spec.isLayer == layers && spec.category == category) addSpec(page, spec);
    }
}

template <class Row> void addRow(std::string& page, const Row& row)
{
    page += str("\n### ", row.title, " (", code(row.id), ")\n\n", row.help, "\n");
    addFormulaAndSource(page, row.formula, row.source);
    std::vector<std::string> parameters;
    for (const auto& [id, value] : row.parameters) parameters.push_back(str(code(id), " ", numeral(value)));
    if (!parameters.empty()) page += str("\nTakes, with its defaults, ", joined(parameters, ", "), ".\n");
}

void addOptimizers(std::string& page)
{
    page +=
        "\n## Optimizers\n\nw are the weights, g their gradient, η `learning_rate`, λ `weight_decay`, μ `momentum`, "
        "β₁ β₂ ρ ε the parameters of those names, t the step from 1; m and v are kept between steps and start at "
        "0. Weight decay acts on weights, not on biases and norms.\n";
    for (const OptimizerType& row : optimizerTypes()) {
        addRow(page, row);
        page += str("\nKeeps ", row.states, row.states == 1 ? " number" : " numbers", " for each weight.",
                    row.fullBatch ? " Each step looks at all training rows." : "", "\n");
    }
}

void addSchedules(std::string& page)
{
    page +=
        "\n## Schedules\n\nη is `learning_rate`, η₁ `final_rate`, p the part of the training after the warm-up that "
        "is done, from 0 to 1. In the warm-up the rate rises linearly from zero. `step_epochs` counts epochs in "
        "Train, `step_length` steps in Train language.\n";
    for (const ScheduleType& row : scheduleTypes()) addRow(page, row);
}
} // namespace

std::string cataloguePage(const Catalogue& catalogue)
{
    std::string page = "# Catalogue\n\nEvery node, layer, optimizer and schedule of Millrace. This page is what "
                       "`millrace nodes --page` prints; a test holds it to the program.\n";
    addSpecs(page, catalogue, false);
    addSpecs(page, catalogue, true);
    addOptimizers(page);
    addSchedules(page);
    return page;
}

} // namespace millrace::pipeline
