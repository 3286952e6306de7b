#include "ui/design/palette_model.h"

#include "ui/design/palette_search.h"
#include "ui/document/text.h"

#include <QMimeData>
#include <algorithm>

namespace millrace::ui {

namespace {

QString toolTip(const pipeline::NodeSpec& spec)
{
    // rich text, since only that is wrapped
    return QStringLiteral("<p><b>%1</b> &nbsp;%2</p><p>%3</p>")
        .arg(toQt(spec.title).toHtmlEscaped(), toQt(spec.type).toHtmlEscaped(), toQt(spec.help).toHtmlEscaped());
}

} // namespace

PaletteModel::PaletteModel(const pipeline::Catalogue& catalogue, QObject* parent)
    : QAbstractListModel(parent), m_catalogue(catalogue)
{
    rebuild();
}

void PaletteModel::setLayers(bool layers)
{
    if (layers == m_layers) return;
    m_layers = layers;
    rebuild();
}

void PaletteModel::setQuery(const QString& query)
{
    if (query == m_query) return;
    m_query = query;
    rebuild();
}

void PaletteModel::rebuild()
{
    beginResetModel();
    m_rows.clear();
    const auto found = searchTypes(m_catalogue, m_layers, m_query);
    if (!m_query.trimmed().isEmpty()) {
        for (const pipeline::NodeSpec* spec : found) m_rows.push_back({{}, spec});
    } else {
        std::vector<std::string> categories; // in the order in which the catalogue first names them
        for (const pipeline::NodeSpec* spec : found)
            if (std::find(categories.begin(), categories.end(), spec->category) == categories.end())
                categories.push_back(spec->category);
        for (const std::string& category : categories) {
            m_rows.push_back({toQt(category), nullptr});
            for (const pipeline::NodeSpec* spec : found)
                if (spec->category == category) m_rows.push_back({{}, spec});
        }
    }
    endResetModel();
}

int PaletteModel::firstType() const
{
    const auto found = std::find_if(m_rows.begin(), m_rows.end(), [](const Row& row) { return row.spec; });
    return found == m_rows.end() ? -1 : static_cast<int>(found - m_rows.begin());
}

int PaletteModel::rowCount(const QModelIndex& parent) const
{
    return parent.isValid() ? 0 : static_cast<int>(m_rows.size());
}

QVariant PaletteModel::data(const QModelIndex& index, int role) const
{
    if (!index.isValid()) return {};
    const Row& row = m_rows[static_cast<std::size_t>(index.row())];
    switch (role) {
    case Qt::DisplayRole:
        return row.spec ? toQt(row.spec->title) : row.heading;
    case Qt::ToolTipRole:
        return row.spec ? toolTip(*row.spec) : QVariant();
    case Qt::AccessibleDescriptionRole:
        return row.spec ? toQt(row.spec->help) : QVariant();
    case TypeRole:
        return row.spec ? toQt(row.spec->type) : QString();
    case PortRole:
        return row.spec && !row.spec->outputs.empty() ? toQt(pipeline::name(row.spec->outputs.front().type))
                                                      : QString();
    case HeadingRole:
        return !row.spec;
    default:
        return {};
    }
}

Qt::ItemFlags PaletteModel::flags(const QModelIndex& index) const
{
    if (!index.isValid()) return {};
    if (!m_rows[static_cast<std::size_t>(index.row())].spec) return Qt::ItemNeverHasChildren;
    return Qt::ItemIsEnabled | Qt::ItemIsSelectable | Qt::ItemIsDragEnabled | Qt::ItemNeverHasChildren;
}

QMimeData* PaletteModel::mimeData(const QModelIndexList& indexes) const
{
    if (indexes.isEmpty()) return nullptr;
    auto* mime = new QMimeData;
    mime->setData(kNodeTypeMime, indexes.front().data(TypeRole).toString().toUtf8());
    return mime;
}

} // namespace millrace::ui
