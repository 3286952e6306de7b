// A thin bar that fills from the left; where nobody knows how far it is, it stays empty.
#pragma once

#include <QWidget>

namespace millrace::ui {

class ProgressLine : public QWidget
{
    Q_OBJECT

public:
    explicit ProgressLine(QWidget* parent = nullptr);

    double fraction() const { return m_fraction; }
    /// 0 to 1; negative: not known.
    void setFraction(double fraction);
    QSize sizeHint() const override { return {180, 4}; }

protected:
    void paintEvent(QPaintEvent* event) override;

private:
    double m_fraction = 0;
};

} // namespace millrace::ui
