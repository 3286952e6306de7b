// Where an axis has its ticks and how they are written: two to five, at round values, all with the same decimals.
#pragma once

#include <functional>
#include <qcustomplot.h>

namespace millrace::ui {

using NumberText = std::function<QString(double)>;

/// "0.0413", "12,800", "1.2e-05": four significant digits.
QString numberText(double value);

class AxisTicker : public QCPAxisTicker
{
public:
    /// Ticks at whole numbers only, as for epochs and steps.
    void setWholeNumbers(bool whole) { m_whole = whole; }
    void setLogarithmic(bool logarithmic) { m_logarithmic = logarithmic; }
    /// How a tick is written instead of as a plain number, such as a size in bytes.
    void setText(NumberText text) { m_text = std::move(text); }

protected:
    double getTickStep(const QCPRange& range) override;
    int getSubTickCount(double tickStep) override;
    QVector<double> createTickVector(double tickStep, const QCPRange& range) override;
    QString getTickLabel(double tick, const QLocale& locale, QChar formatChar, int precision) override;

private:
    bool m_whole = false, m_logarithmic = false;
    double m_step = 1;
    NumberText m_text;
};

} // namespace millrace::ui
