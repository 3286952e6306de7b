// Try it: draw a digit, or give a row, and see a model version's answer at once; or let it go on with a text.
#pragma once

#include "ui/bridge/runner_answers.h"
#include "ui/widgets/card.h"

class QPushButton;
class QStackedWidget;

namespace millrace::ui {

class DrawingPad;
class Label;
class PicturePreview;
class PredictionView;
class RowInput;
class TextTrial;

class TryIt : public Card
{
    Q_OBJECT
public:
    explicit TryIt(RunnerAnswers& answers, QWidget* parent = nullptr);

    /// Asks the version what it takes and offers that.
    void setVersion(const ModelVersionRow& version);
    void clearVersion();
    DrawingPad& pad() const { return *m_pad; }
    RowInput& row() const { return *m_row; }
    PredictionView& answer() const { return *m_answer; }
    TextTrial& text() const { return *m_text; }

private:
    void offer(const ModelDescription& model);
    void offerTable();
    /// Asks for what is drawn or typed now; at most one question is under way, the newest input is never forgotten.
    void ask();
    void show(const Error& error);
    void showHint();

    RunnerAnswers& m_answers;
    QString m_folder;
    ModelDescription m_model;
    bool m_ready = false;
    Awaited m_description, m_prediction;
    bool m_stale = false;

    QStackedWidget* m_kind; ///< input and answer side by side, or a text
    TextTrial* m_text;
    QStackedWidget* m_input;
    QWidget* m_nothing;
    QWidget* m_drawing;
    DrawingPad* m_pad;
    PicturePreview* m_preview;
    Label* m_previewText;
    RowInput* m_row;
    QPushButton* m_clear;
    PredictionView* m_answer;
    Label* m_problem;
};

} // namespace millrace::ui
