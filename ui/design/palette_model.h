// The catalogue as rows of a list: by category under headings, or, while something is searched for, best first.
#pragma once

#include "engine/pipeline/catalogue.h"

#include <QAbstractListModel>
#include <QString>
#include <vector>

namespace millrace::ui {

/// What a node type is dragged as: its id in UTF-8.
inline constexpr QLatin1String kNodeTypeMime{"application/x-millrace-node-type"};

class PaletteModel : public QAbstractListModel
{
    Q_OBJECT

public:
    enum
    {
        TypeRole = Qt::UserRole, ///< the type's id; empty for headings
        PortRole,                ///< what it gives, as Theme::port takes it
        HeadingRole              ///< bool
    };

    /// The catalogue must outlive the model.
    explicit PaletteModel(const pipeline::Catalogue& catalogue, QObject* parent = nullptr);

    /// The types of a model's layers instead of those of the pipeline.
    void setLayers(bool layers);
    void setQuery(const QString& query);
    QString query() const { return m_query; }

    /// The first row that is a node type; -1 where there is none.
    int firstType() const;

    int rowCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role = Qt::DisplayRole) const override;
    Qt::ItemFlags flags(const QModelIndex& index) const override;
    QStringList mimeTypes() const override { return {kNodeTypeMime}; }
    QMimeData* mimeData(const QModelIndexList& indexes) const override;
    Qt::DropActions supportedDragActions() const override { return Qt::CopyAction; }

private:
    struct Row
    {
        QString heading;
        const pipeline::NodeSpec* spec = nullptr; ///< null: a heading
    };
    void rebuild();

    const pipeline::Catalogue& m_catalogue;
    bool m_layers = false;
    QString m_query;
    std::vector<Row> m_rows;
};

} // namespace millrace::ui
