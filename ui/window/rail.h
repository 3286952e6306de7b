// The rail at the left of the window: one entry per page, an icon over a word.
#pragma once

#include "ui/widgets/surface.h"

#include <QAbstractButton>
#include <QButtonGroup>

class QVBoxLayout;

namespace millrace::ui {

class RailButton : public QAbstractButton
{
    Q_OBJECT

public:
    RailButton(const QString& text, const QString& iconName, QWidget* parent = nullptr);
    QSize sizeHint() const override { return {52, 54}; }

protected:
    void paintEvent(QPaintEvent* event) override;
    void enterEvent(QEnterEvent* event) override;
    void leaveEvent(QEvent* event) override;

private:
    QString m_iconName;
};

class Rail : public Surface
{
    Q_OBJECT

public:
    explicit Rail(QWidget* parent = nullptr);

    /// Adds an entry for the next page; `toolTip` names its shortcut.
    void addPage(const QString& text, const QString& iconName, const QString& toolTip);
    int current() const { return m_group.checkedId(); }
    void setCurrent(int page);

signals:
    void pageChosen(int page);

private:
    QVBoxLayout* m_layout;
    QButtonGroup m_group;
};

} // namespace millrace::ui
