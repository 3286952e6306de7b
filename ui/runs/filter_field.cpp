#include "ui/runs/filter_field.h"

#include "ui/theme/theme.h"
#include "ui/widgets/label.h"

#include <QAction>
#include <QLineEdit>
#include <QStyle>
#include <QVBoxLayout>

namespace millrace::ui {

using namespace Qt::StringLiterals;

namespace {
constexpr int kPauseMs = 120; // while somebody types, not every letter filters thousands of rows
} // namespace

FilterField::FilterField(QWidget* parent)
    : QWidget(parent), m_edit(new QLineEdit), m_remark(new Label({}, TextStyle::Caption, Role::Bad))
{
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(2);
    m_edit->setPlaceholderText(tr("Filter: words, or metrics.test.accuracy > 0.95 and state = finished"));
    m_edit->setClearButtonEnabled(true);
    m_edit->setAccessibleName(tr("Filter runs"));
    m_edit->setToolTip(tr("Fields: metrics.NAME, params.NAME, name, state, pipeline, experiment, target, id, seconds. "
                          "Signs: = != ~ (contains) > >= < <=. Joined by and, or, not and parentheses. (Ctrl+F)"));
    m_edit->addAction(icon(u"filter"_s, Role::Faint), QLineEdit::LeadingPosition);
    m_remark->hide();
    m_remark->setWordWrap(true);
    layout->addWidget(m_edit);
    layout->addWidget(m_remark);
    m_pause.setSingleShot(true);
    m_pause.setInterval(kPauseMs);
    connect(&m_pause, &QTimer::timeout, this, &FilterField::parse);
    connect(m_edit, &QLineEdit::textChanged, this, [this] { m_pause.start(); });
    connect(m_edit, &QLineEdit::returnPressed, this, [this] {
        m_pause.stop();
        parse();
    });
}

QString FilterField::text() const
{
    return m_edit->text();
}

void FilterField::setText(const QString& text)
{
    m_edit->setText(text);
}

void FilterField::setRemark(const QString& remark)
{
    m_remark->setRole(Role::Muted);
    m_remark->setText(remark);
    m_remark->setVisible(!remark.isEmpty());
}

void FilterField::parse()
{
    auto filter = RunFilter::parse(m_edit->text());
    m_edit->setProperty("problem", !filter);
    m_edit->style()->unpolish(m_edit);
    m_edit->style()->polish(m_edit);
    m_remark->setRole(Role::Bad);
    m_remark->setText(filter ? QString() : errorText(filter.error()));
    m_remark->setVisible(!filter);
    if (!filter) return;
    emit filterChanged(*filter);
}

} // namespace millrace::ui
