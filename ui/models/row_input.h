// A row of a table to ask a model about: pasted as CSV, with or without its header, or typed field by field.
#pragma once

#include "kernels/base/result.h"

#include <QStringList>
#include <QWidget>
#include <vector>

class QGridLayout;
class QLineEdit;
class QPlainTextEdit;

namespace millrace::ui {

class Label;

/// What the fields are and what was seen in training, shown where a field is empty.
struct RowColumn
{
    QString name, hint;
};

/// The values of one pasted row in the order of the columns. A first line of names puts them in order and may have
/// others beside; without one there must be a value a column, or one more: then the target stands last and is left out.
/// Values are separated by tab, semicolon or comma. Errors: InvalidArgument saying how many or which are missing.
Result<QStringList> fieldsFromCsv(const QString& text, const QStringList& columns);
/// The values as one line of CSV.
QString csvLine(const QStringList& fields);

class RowInput : public QWidget
{
    Q_OBJECT
public:
    explicit RowInput(QWidget* parent = nullptr);

    void setColumns(const std::vector<RowColumn>& columns);
    QStringList fields() const;
    bool isEmpty() const;
    void clear();
    QPlainTextEdit& paste() const { return *m_paste; }
    QString problem() const;

signals:
    void changed();

private:
    void takePasted();

    QPlainTextEdit* m_paste;
    Label* m_problem;
    QGridLayout* m_grid;
    QWidget* m_gridHolder;
    QStringList m_columns;
    std::vector<QLineEdit*> m_edits;
    bool m_filling = false;
};

} // namespace millrace::ui
