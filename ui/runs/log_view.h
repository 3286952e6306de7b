// What a run said, line by line; follows the end as long as the end is in view.
#pragma once

#include "ui/bridge/values.h"

#include <QPlainTextEdit>

namespace millrace::ui {

class LogView : public QPlainTextEdit
{
    Q_OBJECT
public:
    explicit LogView(QWidget* parent = nullptr);
    /// The lines as they are now; only what is new is added.
    void setLines(const std::vector<LogLine>& lines);
    void clearLines();

private:
    std::size_t m_shown = 0;
    qint64 m_firstTimeMs = 0;
};

} // namespace millrace::ui
