// The head of a page, 48 px: title, what is said about it, and the page's actions at the right.
#pragma once

#include "ui/widgets/surface.h"

class QHBoxLayout;

namespace millrace::ui {

class Label;

class PageHeader : public Surface
{
    Q_OBJECT

public:
    explicit PageHeader(const QString& title, QWidget* parent = nullptr);

    QString title() const;
    void setTitle(const QString& title);
    void setSubtitle(const QString& subtitle);
    /// Puts the widget after the actions that are already there; the header owns it.
    void addAction(QWidget* widget);
    /// Puts the widget before the title: a way back, a breadcrumb.
    void addLeading(QWidget* widget);
    using QWidget::addAction;

private:
    QHBoxLayout* m_layout;
    Label* m_title;
    Label* m_subtitle;
    int m_leading = 0;
};

} // namespace millrace::ui
