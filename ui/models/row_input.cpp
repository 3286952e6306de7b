#include "ui/models/row_input.h"

#include "ui/theme/theme.h"
#include "ui/widgets/label.h"

#include <QCoreApplication>
#include <QGridLayout>
#include <QLineEdit>
#include <QPlainTextEdit>
#include <QScrollArea>
#include <QVBoxLayout>
#include <algorithm>

namespace millrace::ui {

using namespace Qt::StringLiterals;

namespace {

struct Words
{
    Q_DECLARE_TR_FUNCTIONS(millrace::ui::RowInput)
};

Error wrong(const QString& message)
{
    return makeError(Code::InvalidArgument, message.toStdString());
}

// fields of one line; a quoted field may hold the separator, and "" for a quotation mark
QStringList splitLine(const QString& line, QChar separator)
{
    QStringList fields;
    QString field;
    bool quoted = false;
    for (qsizetype i = 0; i < line.size(); ++i) {
        const QChar c = line[i];
        if (quoted && c == u'"' && i + 1 < line.size() && line[i + 1] == u'"') {
            field += c;
            ++i;
        } else if (c == u'"') {
            quoted = !quoted;
        } else if (c == separator && !quoted) {
            fields << field.trimmed();
            field.clear();
        } else {
            field += c;
        }
    }
    return fields << field.trimmed();
}

QChar separatorOf(const QString& line)
{
    for (const QChar separator : {QChar(u'\t'), QChar(u';')}) {
        if (line.contains(separator)) return separator;
    }
    return u',';
}

} // namespace

Result<QStringList> fieldsFromCsv(const QString& text, const QStringList& columns)
{
    QStringList lines = text.split(u'\n', Qt::SkipEmptyParts);
    lines.removeIf([](const QString& line) { return line.trimmed().isEmpty(); });
    if (lines.isEmpty()) return wrong(Words::tr("There is no row."));
    const QChar separator = separatorOf(lines.front());
    const QStringList first = splitLine(lines.front(), separator);
    const auto known = [&](const QString& name) { return columns.contains(name, Qt::CaseInsensitive); };
    if (std::any_of(first.begin(), first.end(), known)) {
        if (lines.size() < 2) return wrong(Words::tr("This is the line of names; the row with the values is missing."));
        const QStringList values = splitLine(lines[1], separator);
        QStringList fields, missing;
        for (const QString& column : columns) {
            const auto at = std::find_if(first.begin(), first.end(), [&](const QString& name) {
                return name.compare(column, Qt::CaseInsensitive) == 0;
            });
            const qsizetype index = at - first.begin();
            if (at == first.end()) missing << column;
            fields << values.value(index);
        }
        if (!missing.isEmpty()) {
            return wrong(
                Words::tr("The model also takes %1, which this row does not have.").arg(missing.join(u", "_s)));
        }
        return fields;
    }
    QStringList fields = first;
    if (fields.size() == columns.size() + 1) fields.removeLast();
    if (fields.size() != columns.size()) {
        return wrong(Words::tr("This row has %1 values, but the model takes %2: %3.")
                         .arg(first.size())
                         .arg(columns.size())
                         .arg(columns.mid(0, 8).join(u", "_s) + (columns.size() > 8 ? u", …"_s : QString())));
    }
    return fields;
}

QString csvLine(const QStringList& fields)
{
    QStringList quoted;
    for (QString field : fields) {
        const bool plain = !field.contains(u',') && !field.contains(u'"') && !field.contains(u'\n');
        quoted << (plain ? field : u'"' + field.replace(u'"', u"\"\""_s) + u'"');
    }
    return quoted.join(u',');
}

RowInput::RowInput(QWidget* parent)
    : QWidget(parent), m_paste(new QPlainTextEdit), m_problem(new Label({}, TextStyle::Caption, Role::Bad)),
      m_gridHolder(new QWidget)
{
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(8);
    m_paste->setPlaceholderText(tr("Paste a row of CSV here, with or without the line of names"));
    m_paste->setFixedHeight(58);
    m_paste->setLineWrapMode(QPlainTextEdit::NoWrap);
    m_paste->setFont(theme().font(TextStyle::Code));
    m_paste->setTabChangesFocus(true);
    m_paste->setAccessibleName(tr("Row as CSV"));
    layout->addWidget(m_paste);
    m_problem->setWordWrap(true);
    m_problem->hide();
    layout->addWidget(m_problem);
    m_grid = new QGridLayout(m_gridHolder);
    m_grid->setContentsMargins(0, 0, 8, 0);
    m_grid->setHorizontalSpacing(12);
    m_grid->setVerticalSpacing(6);
    auto* area = new QScrollArea;
    area->setWidgetResizable(true);
    area->setFrameShape(QFrame::NoFrame);
    area->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    area->setWidget(m_gridHolder);
    layout->addWidget(area, 1);
    connect(m_paste, &QPlainTextEdit::textChanged, this, &RowInput::takePasted);
}

void RowInput::setColumns(const std::vector<RowColumn>& columns)
{
    m_columns.clear();
    m_edits.clear();
    while (QLayoutItem* item = m_grid->takeAt(0)) {
        delete item->widget();
        delete item;
    }
    int place = 0;
    for (const RowColumn& column : columns) {
        m_columns << column.name;
        auto* label = new Label(column.name, TextStyle::Caption, Role::Muted);
        label->setElided(true);
        auto* edit = new QLineEdit;
        edit->setPlaceholderText(column.hint);
        edit->setAccessibleName(column.name);
        label->setBuddy(edit);
        const int row = place / 2, side = place % 2 * 2;
        m_grid->addWidget(label, row, side);
        m_grid->addWidget(edit, row, side + 1);
        m_edits.push_back(edit);
        connect(edit, &QLineEdit::textChanged, this, [this] {
            if (!m_filling) emit changed();
        });
        ++place;
    }
    for (const int side : {0, 2}) m_grid->setColumnStretch(side, 2);
    for (const int side : {1, 3}) m_grid->setColumnStretch(side, 3);
    m_grid->setRowStretch(place / 2 + 1, 1);
}

QStringList RowInput::fields() const
{
    QStringList fields;
    for (const QLineEdit* edit : m_edits) fields << edit->text().trimmed();
    return fields;
}

bool RowInput::isEmpty() const
{
    return std::all_of(m_edits.begin(), m_edits.end(),
                       [](const QLineEdit* edit) { return edit->text().trimmed().isEmpty(); });
}

QString RowInput::problem() const
{
    return m_problem->isHidden() ? QString() : m_problem->text();
}

void RowInput::clear()
{
    m_paste->clear();
    m_filling = true;
    for (QLineEdit* edit : m_edits) edit->clear();
    m_filling = false;
    emit changed();
}

void RowInput::takePasted()
{
    const QString text = m_paste->toPlainText();
    m_problem->hide();
    if (text.trimmed().isEmpty()) return;
    const auto fields = fieldsFromCsv(text, m_columns);
    if (!fields) {
        m_problem->setText(QString::fromStdString(fields.error().message));
        m_problem->show();
        return;
    }
    m_filling = true;
    for (std::size_t i = 0; i < m_edits.size(); ++i) m_edits[i]->setText((*fields)[static_cast<qsizetype>(i)]);
    m_filling = false;
    emit changed();
}

} // namespace millrace::ui
