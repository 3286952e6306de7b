// What data nodes' files hold, remembered by type and parameters, so that a check never waits for a file.
#pragma once

#include "engine/pipeline/catalogue.h"
#include "engine/pipeline/document.h"
#include "ui/document/inspector.h"

#include <QObject>
#include <QString>
#include <map>
#include <string>

namespace millrace::ui {

class DataInspections : public QObject
{
    Q_OBJECT

public:
    /// Without an inspector nothing is known about files. It is not owned.
    explicit DataInspections(Inspector* inspector, QObject* parent = nullptr);

    /// Paths of nodes are relative to this folder from now on.
    void setBaseDirectory(const QString& directory) { m_baseDirectory = directory; }

    /// The answer if there is one, else an Error with Code::Busy and a question on its way.
    InspectAnswer look(const pipeline::Node& node, const pipeline::NodeSpec& spec);

    /// Asks again for everything asked before: files may have changed meanwhile. Old answers stay until then.
    void refresh();

signals:
    /// An answer came that was not there before or differs from the one before.
    void answered();

private:
    struct Entry
    {
        std::optional<InspectAnswer> answer;
        QString nodeJson, baseDirectory;
        quint64 request = 0; ///< 0: none on its way
    };

    void ask(Entry& entry);
    void take(quint64 request, const InspectAnswer& answer);

    Inspector* m_inspector;
    QString m_baseDirectory;
    std::map<std::string, Entry> m_entries; ///< by base directory, type and parameters
    quint64 m_lastRequest = 0;
};

} // namespace millrace::ui
