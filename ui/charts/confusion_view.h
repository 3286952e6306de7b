// A confusion matrix as a picture: counts, shaded by their share of the row, recall and precision per class at the
// edges, and the cell under the pointer or the arrow keys in words.
#pragma once

#include <QStringList>
#include <QWidget>
#include <optional>
#include <vector>

namespace millrace::ui {

using ConfusionCounts = std::vector<std::vector<qint64>>; ///< rows: true classes, columns: predicted ones

/// Share of the class's rows that were found; NaN for a class without rows.
double recallOf(const ConfusionCounts& counts, std::size_t label);
/// Share of the predictions of the class that were right; NaN where it was never predicted.
double precisionOf(const ConfusionCounts& counts, std::size_t label);

class ConfusionView : public QWidget
{
    Q_OBJECT
public:
    explicit ConfusionView(QWidget* parent = nullptr);

    /// The counts are square, of as many rows as there are classes.
    void setMatrix(const QStringList& classes, ConfusionCounts counts);
    /// "Of 36 rows that are “8”, 2 (5.6 %) were taken for “1”."
    QString cellWords(int trueLabel, int predicted) const;
    /// What the line below the matrix says now.
    QString words() const;

    QSize sizeHint() const override;
    QSize minimumSizeHint() const override { return {240, 240}; }

protected:
    void paintEvent(QPaintEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void leaveEvent(QEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;

private:
    struct Cell
    {
        int row = 0, column = 0;
    };
    struct Geometry
    {
        double left = 0, top = 0, cell = 0, edge = 0; ///< edge: the width of the recall column
    };

    Geometry geometryNow() const;
    void paintCell(QPainter& painter, const Geometry& where, int row, int column) const;
    void paintEdges(QPainter& painter, const Geometry& where) const;
    void select(std::optional<Cell> cell);
    int classes() const { return static_cast<int>(m_classes.size()); }

    QStringList m_classes;
    ConfusionCounts m_counts;
    std::optional<Cell> m_selected;
};

} // namespace millrace::ui
