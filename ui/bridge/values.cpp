#include "ui/bridge/values.h"

#include "kernels/base/text.h"

#include <algorithm>

namespace millrace::ui {

namespace {

template <class Item> const Item* findByName(const std::vector<Item>& items, QStringView name)
{
    const auto at = std::lower_bound(items.begin(), items.end(), name,
                                     [](const Item& item, QStringView wanted) { return item.name < wanted; });
    return at != items.end() && at->name == name ? &*at : nullptr;
}

} // namespace

const Metric* RunSummary::metric(QStringView wanted) const
{
    return findByName(metrics, wanted);
}

const Parameter* RunSummary::parameter(QStringView wanted) const
{
    return findByName(parameters, wanted);
}

bool RunSummary::isActive() const
{
    return !protocol::isTerminal(state) && state != protocol::RunState::Lost;
}

QString toQString(std::string_view text)
{
    return QString::fromUtf8(text.data(), static_cast<qsizetype>(text.size()));
}

QString errorText(const Error& error)
{
    QString text = toQString(printable(error.message));
    if (!error.subject.file.empty() && error.message.find(error.subject.file) == std::string::npos) {
        text = toQString(printable(error.subject.toString())) + QStringLiteral(": ") + text;
    }
    if (!error.advice.empty()) text += QStringLiteral(" ") + toQString(printable(error.advice));
    return text;
}

} // namespace millrace::ui
