// Whatever the bytes: a pipeline file is read or refused, and what was read is checked, built, and comes back as it
// was.
#include "engine/pipeline/cache_key.h"
#include "engine/pipeline/check.h"
#include "engine/pipeline/model_builder.h"

#include <cstdio>
#include <cstdlib>

using namespace millrace;
using namespace millrace::pipeline;

namespace {
void require(bool held, const char* promise)
{
    if (held) return;
    std::fprintf(stderr, "Broken promise: %s\n", promise);
    std::abort();
}

RowsSchema rowsOf(const Node& node)
{
    RowsSchema schema;
    schema.rows = 100;
    schema.image = node.type != "data.csv";
    schema.features = schema.image ? Shape{8, 8, 1} : Shape{5};
    schema.target = TargetKind::Classes;
    schema.classes = {"a", "b", "c"};
    return schema;
}

void buildModels(const Document& document, const Catalogue& catalogue)
{
    for (const Node& node : document.nodes) {
        const RowsSchema schema = rowsOf(node);
        if (const auto layers = expandModel(node, catalogue, schema); layers) {
            const bool ok = checkLayers(*layers, catalogue, schema).ok();
            require(buildModel(*layers, catalogue, schema, 4).has_value() == ok,
                    "a model builds if its check finds no error");
        }
        if (const NodeSpec* spec = catalogue.find(node.type)) cacheKey(node, *spec, {}, {});
    }
}
} // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size)
{
    static const Catalogue catalogue = Catalogue::create();
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto document = parseDocument(text, "fuzz.millrace");
    if (!document) {
        require(!document.error().message.empty(), "an error says what is wrong");
        return 0;
    }
    const std::string written = toText(*document);
    require(!document->readOnly || written == text, "a newer format comes back byte for byte");
    const auto again = parseDocument(written);
    require(again.has_value() && *again == *document, "what was written reads back the same");
    require(toText(*again) == written, "the canonical text is stable");

    const CheckReport report = check(
        *document, catalogue, [](const Node& node, const NodeSpec&) -> Result<RowsSchema> { return rowsOf(node); });
    toJson(report).dump();
    require(executionOrder(*document).has_value() || !report.ok(), "a pipeline without order has a problem");
    buildModels(*document, catalogue);
    return 0;
}
