#include "engine/data/recode.h"

#include "engine/data/fit.h"
#include "engine/data/table_encoder.h"
#include "kernels/base/text.h"

namespace millrace::data {

namespace {
/// The categories of the table that the rows come from, with the first of each one's features.
struct Category
{
    std::string name;
    std::size_t first = 0, texts = 0;
};

Result<std::vector<Category>> categoriesOf(const Dataset& rows)
{
    std::vector<Category> categories;
    for (const auto& step : rows.preprocessing.steps) {
        if (!step.is_object() || step.value("kind", nlohmann::json()) != "table") continue;
        MR_TRY(const TableEncoder encoder, TableEncoder::fromStep(step));
        std::size_t feature = 0;
        for (const TableColumn& column : encoder.columns()) {
            if (column.role == ColumnRole::Number) ++feature;
            if (column.role != ColumnRole::Category) continue;
            categories.push_back({column.name, feature, column.values.size()});
            feature += column.values.size();
        }
    }
    return categories;
}
} // namespace

std::optional<CategoryCode> categoryCode(std::string_view name)
{
    if (name == "one_hot") return CategoryCode::OneHot;
    if (name == "ordinal") return CategoryCode::Ordinal;
    if (name == "frequency") return CategoryCode::Frequency;
    return std::nullopt;
}

Result<SplitRows> recode(const Dataset& rows, const Dataset* test, CategoryCode code, std::stop_token stop)
{
    auto steps = nlohmann::json::array();
    MR_TRY(const auto categories, categoriesOf(rows));
    if (code == CategoryCode::OneHot || categories.empty()) return preparedAlike(rows, test, steps);
    if (rows.preprocessing.has("recode") || rows.preprocessing.has("scale"))
        return makeError(Code::InvalidArgument, "The categories of these rows were encoded or scaled already.")
            .advise("Encode them once, before they are scaled.");
    std::vector<double> shares;
    if (code == CategoryCode::Frequency) {
        MR_TRY(Moments moments, fitMoments(rows, stop));
        shares = std::move(moments.mean); // of features that are 0 or 1
    }
    auto groups = nlohmann::json::array();
    for (const Category& category : categories) {
        auto codes = nlohmann::json::array();
        for (std::size_t i = 0; i < category.texts; ++i)
            codes.push_back(code == CategoryCode::Ordinal ? static_cast<float>(i + 1)
                                                          : static_cast<float>(shares[category.first + i]));
        groups.push_back({{"name", category.name}, {"first", category.first}, {"codes", std::move(codes)}});
    }
    steps.push_back({{"kind", "recode"}, {"width", rows.schema.features.elements()}, {"groups", std::move(groups)}});
    return preparedAlike(rows, test, steps);
}

} // namespace millrace::data
