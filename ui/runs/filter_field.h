// The field in which runs are filtered: words or comparisons, and what is wrong with them below it.
#pragma once

#include "ui/runs/run_filter.h"

#include <QTimer>
#include <QWidget>

class QLineEdit;

namespace millrace::ui {

class Label;

class FilterField : public QWidget
{
    Q_OBJECT
public:
    explicit FilterField(QWidget* parent = nullptr);

    QString text() const;
    void setText(const QString& text);
    /// A remark below the field that is no error, such as that no run has the metric; empty: none.
    void setRemark(const QString& remark);
    QLineEdit& edit() const { return *m_edit; }

signals:
    /// A whole filter was typed; while the text is none, the last one stays. The filter may be moved from.
    void filterChanged(millrace::ui::RunFilter& filter);

private:
    void parse();

    QLineEdit* m_edit;
    Label* m_remark;
    QTimer m_pause;
};

} // namespace millrace::ui
