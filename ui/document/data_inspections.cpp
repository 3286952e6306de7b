#include "ui/document/data_inspections.h"

#include "ui/document/text.h"

namespace millrace::ui {

namespace {

constexpr std::size_t kMaximumEntries = 1000;

bool same(const InspectAnswer& a, const InspectAnswer& b)
{
    if (a.has_value() != b.has_value()) return false;
    return a ? *a == *b : a.error().toString() == b.error().toString();
}

} // namespace

DataInspections::DataInspections(Inspector* inspector, QObject* parent) : QObject(parent), m_inspector(inspector)
{
    if (m_inspector) connect(m_inspector, &Inspector::inspected, this, &DataInspections::take);
}

InspectAnswer DataInspections::look(const pipeline::Node& node, const pipeline::NodeSpec& spec)
{
    pipeline::Json params = pipeline::Json::object();
    for (const pipeline::ParamSpec& param : spec.params) params[param.id] = pipeline::paramValue(node, spec, param.id);
    const auto dump = [](const pipeline::Json& json) {
        return json.dump(-1, ' ', false, pipeline::Json::error_handler_t::replace);
    };
    const std::string key = str(m_baseDirectory.toStdString(), '\n', node.type, '\n', dump(params));
    if (m_entries.size() > kMaximumEntries)
        std::erase_if(m_entries, [](const auto& each) { return each.second.request == 0; });
    Entry& entry = m_entries[key];
    if (!entry.answer && entry.request == 0 && m_inspector) {
        entry.nodeJson = toQt(dump({{"id", node.id}, {"type", node.type}, {"params", params}}));
        entry.baseDirectory = m_baseDirectory;
        ask(entry);
    }
    if (entry.answer) return *entry.answer;
    return makeError(Code::Busy, "The file is being looked at.");
}

void DataInspections::refresh()
{
    for (auto& [key, entry] : m_entries)
        if (entry.request == 0 && !entry.nodeJson.isEmpty()) ask(entry);
}

void DataInspections::ask(Entry& entry)
{
    entry.request = ++m_lastRequest;
    m_inspector->requestInspect(entry.request, entry.nodeJson, entry.baseDirectory);
}

void DataInspections::take(quint64 request, const InspectAnswer& answer)
{
    for (auto& [key, entry] : m_entries) {
        if (entry.request != request) continue;
        entry.request = 0;
        const bool news = !entry.answer || !same(*entry.answer, answer);
        entry.answer = answer;
        if (news) emit answered();
        return;
    }
}

} // namespace millrace::ui
