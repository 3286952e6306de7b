// A bar above a page that tells something and offers what to do about it, without stopping the work as a dialog would.
#pragma once

#include "ui/widgets/sign.h"
#include "ui/widgets/surface.h"

class QHBoxLayout;
class QPushButton;

namespace millrace::ui {

class Label;

class NoticeBar : public Surface
{
    Q_OBJECT

public:
    explicit NoticeBar(QWidget* parent = nullptr);

    /// Shows the text with these buttons (and a cross) in place of what it showed before.
    void show(Sign sign, const QString& text, const QStringList& buttons = {});
    using QWidget::show;
    QString text() const;
    QPushButton* button(int index) const;

signals:
    /// The bar hides itself before it says so.
    void buttonClicked(int index);
    void closed();

private:
    QHBoxLayout* m_layout;
    SignLabel* m_sign;
    Label* m_text;
    QPushButton* m_close;
    QList<QPushButton*> m_buttons;
};

} // namespace millrace::ui
