// A model's answer: the class in large and a bar for the probability of each, or the value.
#pragma once

#include "ui/bridge/runner_answers.h"

#include <QWidget>

namespace millrace::ui {

class PredictionView : public QWidget
{
    Q_OBJECT
public:
    explicit PredictionView(QWidget* parent = nullptr);

    /// What is asked for, such as "price"; for the words beside a value.
    void setTarget(const QString& target);
    void setPrediction(const Prediction& prediction);
    /// Empties it; the text says what to do.
    void clear(const QString& text);
    /// "3 · 98.2 %", as it is shown.
    QString words() const;

    QSize sizeHint() const override { return {260, 300}; }
    QSize minimumSizeHint() const override { return {180, 160}; }

protected:
    void paintEvent(QPaintEvent* event) override;

private:
    void paintBars(QPainter& painter, int top) const;

    QString m_target, m_hint;
    bool m_shown = false;
    Prediction m_prediction;
    std::vector<std::size_t> m_rows; ///< classes in the order of the bars
    std::size_t m_best = 0;
};

} // namespace millrace::ui
