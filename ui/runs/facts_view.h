// A titled list of facts: name at the left, value at the right, a sign and a second line where there is one.
#pragma once

#include "ui/widgets/sign.h"

#include <QWidget>
#include <vector>

namespace millrace::ui {

struct Fact
{
    QString name, value;
    QString note;           ///< a second line, smaller
    Sign sign = Sign::None; ///< before the name
    Role role = Role::Text; ///< of the value
    bool operator==(const Fact&) const = default;
};

class FactsView : public QWidget
{
    Q_OBJECT
public:
    explicit FactsView(const QString& title, QWidget* parent = nullptr);

    /// Hides itself while there are none.
    void setFacts(std::vector<Fact> facts);
    const std::vector<Fact>& facts() const { return m_facts; }
    QSize sizeHint() const override;
    QSize minimumSizeHint() const override { return {160, sizeHint().height()}; }

protected:
    void paintEvent(QPaintEvent* event) override;
    bool event(QEvent* event) override;

private:
    int heightOf(const Fact& fact) const;
    /// The fact at that height; null between them.
    const Fact* at(int y) const;
    void paintFact(QPainter& painter, const Fact& fact, int top) const;

    QString m_title;
    std::vector<Fact> m_facts;
};

} // namespace millrace::ui
