// Tells what a data node's files hold. The window never reads them itself: whoever implements this asks another
// process.
#pragma once

#include "engine/pipeline/schema.h"
#include "kernels/base/result.h"

#include <QMetaType>
#include <QObject>
#include <QString>

namespace millrace::ui {

using InspectAnswer = Result<pipeline::RowsSchema>;

class Inspector : public QObject
{
    Q_OBJECT

public:
    using QObject::QObject;

    /// Asks what the node would yield. `nodeJson` is the node as an object {"id", "type", "params"}; its paths are
    /// relative to `baseDirectory`. Returns at once; the answer comes by `inspected`, exactly once per request.
    virtual void requestInspect(quint64 request, const QString& nodeJson, const QString& baseDirectory) = 0;

signals:
    void inspected(quint64 request, const millrace::ui::InspectAnswer& answer);
};

} // namespace millrace::ui

Q_DECLARE_METATYPE(millrace::ui::InspectAnswer)
