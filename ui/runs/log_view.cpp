#include "ui/runs/log_view.h"

#include "ui/theme/theme.h"

#include <QDateTime>
#include <QScrollBar>

namespace millrace::ui {

using namespace Qt::StringLiterals;

LogView::LogView(QWidget* parent) : QPlainTextEdit(parent)
{
    setReadOnly(true);
    setUndoRedoEnabled(false);
    setLineWrapMode(QPlainTextEdit::NoWrap);
    setFont(theme().font(TextStyle::Code));
    setAccessibleName(tr("Log"));
    setPlaceholderText(tr("Nothing was said yet."));
    setTabChangesFocus(true);
}

void LogView::clearLines()
{
    clear();
    m_shown = 0;
    m_firstTimeMs = 0;
}

void LogView::setLines(const std::vector<LogLine>& lines)
{
    // only the last lines are kept by whoever sends them: when the first one went, all is written anew
    const qint64 first = lines.empty() ? 0 : lines.front().timeMs;
    if (lines.size() < m_shown || first != m_firstTimeMs) clearLines();
    m_firstTimeMs = first;
    if (lines.size() == m_shown) return;
    const bool atEnd = verticalScrollBar()->value() >= verticalScrollBar()->maximum() - 2;
    QStringList text;
    for (; m_shown < lines.size(); ++m_shown) {
        const LogLine& line = lines[m_shown];
        const QString time = QDateTime::fromMSecsSinceEpoch(line.timeMs).toString(u"HH:mm:ss"_s);
        const QString level = line.level == u"info" || line.level == u"debug" ? QString() : line.level + u": "_s;
        text << u"%1  %2  %3%4"_s.arg(time, line.stage.leftJustified(10), level, line.text);
    }
    appendPlainText(text.join(u'\n'));
    if (atEnd) verticalScrollBar()->setValue(verticalScrollBar()->maximum());
}

} // namespace millrace::ui
