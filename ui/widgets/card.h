// A card: a raised area with round corners and a line of one pixel, optionally with a title and a caption at its right.
#pragma once

#include <QWidget>

class QVBoxLayout;

namespace millrace::ui {

class Label;

class Card : public QWidget
{
    Q_OBJECT

public:
    explicit Card(const QString& title = {}, QWidget* parent = nullptr);

    void setTitle(const QString& title);
    /// What stands at the right of the title: a unit, a current value.
    void setCaption(const QString& caption);
    /// Puts a widget at the right of the title.
    void addAction(QWidget* widget);
    using QWidget::addAction;
    /// Where the content goes.
    QVBoxLayout* body() const { return m_body; }

protected:
    void paintEvent(QPaintEvent* event) override;

private:
    QWidget* m_head;
    Label* m_title;
    Label* m_caption;
    QVBoxLayout* m_body;
};

} // namespace millrace::ui
