// millrace nodes: the catalogue of node types.
#include "app/cli/terminal.h"
#include "app/cli/verb.h"
#include "engine/pipeline/catalogue.h"
#include "engine/pipeline/catalogue_page.h"
#include "kernels/base/text.h"

#include <CLI/CLI.hpp>
#include <cstdio>

namespace millrace::cli {

namespace {

std::string rangeOf(const pipeline::ParamSpec& param)
{
    if (!param.choices.empty()) return joined(param.choices, " | ");
    std::string text;
    if (param.minimum && param.maximum)
        text = str(*param.minimum, " – ", *param.maximum);
    else if (param.minimum)
        text = str("≥ ", *param.minimum);
    return param.unit.empty() ? text : str(text, text.empty() ? "" : " ", param.unit);
}

void printType(const pipeline::NodeSpec& spec)
{
    std::printf("%s (%s)\n%s\n", spec.title.c_str(), spec.type.c_str(), spec.help.c_str());
    if (!spec.formula.empty()) std::printf("%s\n", spec.formula.c_str());
    const auto ports = [](const char* title, const std::vector<pipeline::PortSpec>& list, bool inputs) {
        if (list.empty()) return;
        std::printf("\n%s\n", title);
        Table table({"  port", "carries", ""});
        for (const auto& port : list)
            table.add({"  " + port.id, std::string(name(port.type)), inputs && !port.required ? "optional" : ""});
        std::fputs(table.toString().c_str(), stdout);
    };
    ports("Inputs", spec.inputs, true);
    ports("Outputs", spec.outputs, false);
    if (!spec.params.empty()) {
        std::printf("\nParameters\n");
        Table table({"  name", "kind", "default", "range", "meaning"});
        for (const auto& param : spec.params)
            table.add({"  " + param.id, std::string(name(param.kind)),
                       param.kind == pipeline::ParamKind::Layers ? "…"
                       : param.defaultValue.is_null()            ? "(required)"
                                                                 : param.defaultValue.dump(),
                       rangeOf(param), param.help});
        std::fputs(table.toString().c_str(), stdout);
    }
    if (!spec.source.empty()) std::printf("\nSource: %s\n", spec.source.c_str());
}

int execute(const std::string& type, bool json, bool page)
{
    const pipeline::Catalogue catalogue = pipeline::Catalogue::create();
    if (page) {
        std::fputs(pipeline::cataloguePage(catalogue).c_str(), stdout);
        return Done;
    }
    if (!type.empty()) {
        const pipeline::NodeSpec* spec = catalogue.find(type);
        if (spec == nullptr)
            return report(makeError(Code::NotFound, str("There is no node type \"", printable(type), "\"."))
                              .advise(didYouMean(type, catalogue.typeNames())),
                          json);
        if (json)
            printJson(nlohmann::json::parse(pipeline::toJson(*spec).dump()));
        else
            printType(*spec);
        return Done;
    }
    if (json) {
        printJson(nlohmann::json::parse(pipeline::toJson(catalogue).dump()));
        return Done;
    }
    Table table({"type", "title", "category", "is"});
    for (const auto& spec : catalogue.all()) table.add({spec.type, spec.title, spec.category, spec.help});
    std::fputs(table.toString().c_str(), stdout);
    return Done;
}

} // namespace

void addNodes(CLI::App& command, Outcome& outcome)
{
    struct Options
    {
        std::string type;
        bool json = false, page = false;
    };
    const auto options = std::make_shared<Options>(); // lives as long as the command's parser
    CLI::App* verb = command.add_subcommand("nodes", "The catalogue: ports, parameters, units, ranges, defaults, help");
    verb->add_option("type", options->type, "One type, such as data.csv (default: all)");
    CLI::Option* json = verb->add_flag("--json", options->json, "One JSON document on standard output");
    verb->add_flag("--page", options->page, "The reference page of all types, optimizers and schedules, as Markdown")
        ->excludes(json);
    verb->callback([options, &outcome] { outcome.status = execute(options->type, options->json, options->page); });
}

} // namespace millrace::cli
