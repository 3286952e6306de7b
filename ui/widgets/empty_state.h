// What a page shows when it has nothing yet: a line that says so, what to do first, and the button that does it.
#pragma once

#include <QWidget>

class QPushButton;
class QVBoxLayout;

namespace millrace::ui {

class Label;

class EmptyState : public QWidget
{
    Q_OBJECT

public:
    /// `iconName` as for icon(). Without a button text there is no button.
    EmptyState(const QString& iconName, const QString& title, const QString& text, const QString& buttonText = {},
               QWidget* parent = nullptr);

    void setTexts(const QString& title, const QString& text);
    QPushButton* button() const { return m_button; }

signals:
    void buttonClicked();

private:
    Label* m_title;
    Label* m_text;
    QPushButton* m_button = nullptr;
};

} // namespace millrace::ui
