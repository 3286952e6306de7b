#include "ui/models/try_it.h"

#include "kernels/base/text.h"
#include "ui/charts/axis_ticker.h"
#include "ui/models/drawing_pad.h"
#include "ui/models/prediction_view.h"
#include "ui/models/row_input.h"
#include "ui/models/text_trial.h"
#include "ui/widgets/button.h"
#include "ui/widgets/label.h"

#include <QHBoxLayout>
#include <QStackedWidget>
#include <QVBoxLayout>

namespace millrace::ui {

using namespace Qt::StringLiterals;

TryIt::TryIt(RunnerAnswers& answers, QWidget* parent)
    : Card(tr("Try it"), parent), m_answers(answers), m_kind(new QStackedWidget), m_text(new TextTrial(answers)),
      m_input(new QStackedWidget), m_nothing(new QWidget), m_drawing(new QWidget), m_pad(new DrawingPad),
      m_preview(new PicturePreview), m_previewText(new Label({}, TextStyle::Caption, Role::Muted)), m_row(new RowInput),
      m_clear(makeButton(tr("Clear"), ButtonKind::Secondary, u"eraser"_s)), m_answer(new PredictionView),
      m_problem(new Label({}, TextStyle::Body, Role::Bad))
{
    auto* drawing = new QHBoxLayout(m_drawing);
    drawing->setContentsMargins(0, 0, 0, 0);
    drawing->setSpacing(16);
    drawing->addWidget(m_pad, 0, Qt::AlignTop);
    auto* side = new QVBoxLayout;
    side->setSpacing(6);
    side->addWidget(new Label(tr("What the network sees"), TextStyle::Caption, Role::Muted));
    side->addWidget(m_preview);
    side->addWidget(m_previewText);
    side->addStretch(1);
    drawing->addLayout(side);
    drawing->addStretch(1);
    for (QWidget* input : {m_nothing, m_drawing, static_cast<QWidget*>(m_row)}) m_input->addWidget(input);

    auto* sides = new QWidget;
    auto* row = new QHBoxLayout(sides);
    row->setContentsMargins(0, 0, 0, 0);
    row->setSpacing(28);
    row->addWidget(m_input, 3);
    auto* right = new QVBoxLayout;
    right->setSpacing(8);
    m_problem->setWordWrap(true);
    m_problem->hide();
    right->addWidget(m_problem);
    right->addWidget(m_answer, 1);
    row->addLayout(right, 2);
    m_kind->addWidget(sides);
    m_kind->addWidget(m_text);
    body()->addWidget(m_kind, 1);
    m_clear->setProperty("small", true);
    m_clear->setToolTip(tr("Empties the paper, the row or the text (Delete on the paper)"));
    addAction(m_clear);

    connect(m_clear, &QPushButton::clicked, this, [this] {
        m_pad->clear();
        m_row->clear();
        m_text->clear();
    });
    connect(m_pad, &DrawingPad::changed, this, &TryIt::ask);
    connect(m_row, &RowInput::changed, this, &TryIt::ask);
    connect(&answers, &RunnerAnswers::described, this, [this](RequestId request, const ModelDescription& model) {
        if (m_description.accept(request)) offer(model);
    });
    connect(&answers, &RunnerAnswers::predicted, this, [this](RequestId request, const Prediction& prediction) {
        if (!m_prediction.accept(request)) return;
        m_problem->hide();
        m_answer->setPrediction(prediction);
        if (std::exchange(m_stale, false)) ask();
    });
    connect(&answers, &RunnerAnswers::failed, this, [this](RequestId request, const Error& error) {
        if (m_description.accept(request)) return show(error);
        if (!m_prediction.accept(request)) return;
        show(error);
        if (std::exchange(m_stale, false)) ask();
    });
    clearVersion();
}

void TryIt::clearVersion()
{
    m_folder.clear();
    m_ready = m_stale = false;
    m_description.expect(0);
    m_prediction.expect(0);
    m_input->setCurrentWidget(m_nothing);
    m_kind->setCurrentIndex(0);
    m_text->setModel({});
    m_problem->hide();
    m_clear->setEnabled(false);
    setCaption({});
    m_answer->clear({});
}

void TryIt::setVersion(const ModelVersionRow& version)
{
    if (version.folder == m_folder) return;
    clearVersion();
    m_folder = version.folder;
    m_answer->clear(tr("Opening the model"));
    m_description.expect(m_answers.describe(m_folder));
}

void TryIt::offer(const ModelDescription& model)
{
    m_model = model;
    m_ready = true;
    m_clear->setEnabled(true);
    const auto& schema = model.schema;
    m_answer->setTarget(toQString(printable(schema.targetName)));
    if (model.parameters >= 0) setCaption(tr("%1 parameters").arg(numberText(static_cast<double>(model.parameters))));
    if (schema.vocabulary > 0) {
        m_ready = false; // it is asked by its own button
        m_text->setModel(m_folder);
        return m_kind->setCurrentWidget(m_text);
    }
    const bool drawable = schema.image && schema.features.rank() == 3 && schema.features[2] == 1 &&
                          schema.features[0] <= 256 && schema.features[1] <= 256;
    if (drawable) {
        m_input->setCurrentWidget(m_drawing);
        m_previewText->setText(tr("%1 × %2 pixels").arg(schema.features[1]).arg(schema.features[0]));
    } else {
        offerTable();
    }
    showHint();
    ask();
}

void TryIt::offerTable()
{
    const auto& schema = m_model.schema;
    std::vector<RowColumn> columns;
    for (const QString& name : m_model.columns) {
        RowColumn column{name, {}};
        for (const pipeline::Column& seen : schema.columns) {
            if (toQString(printable(seen.name)) == name && seen.maximum > seen.minimum) {
                column.hint = tr("%1 to %2").arg(numberText(seen.minimum), numberText(seen.maximum));
            }
        }
        columns.push_back(std::move(column));
    }
    m_row->setColumns(columns);
    m_input->setCurrentWidget(m_row);
}

void TryIt::showHint()
{
    m_answer->clear(m_input->currentWidget() == m_drawing
                        ? tr("Draw a digit with the mouse: the answer follows the pen.")
                        : tr("Paste a row, or fill in the fields: the answer follows."));
}

void TryIt::ask()
{
    if (!m_ready) return;
    const bool drawing = m_input->currentWidget() == m_drawing;
    const int height = static_cast<int>(m_model.schema.features[0]);
    const int width = drawing ? static_cast<int>(m_model.schema.features[1]) : 0;
    const auto pixels = drawing ? networkPicture(m_pad->strokes(), width, height) : std::vector<float>();
    if (drawing) m_preview->setPicture(width, height, pixels);
    if (drawing ? m_pad->isEmpty() : m_row->isEmpty()) {
        m_prediction.expect(0);
        m_stale = false;
        m_problem->hide();
        return showHint();
    }
    if (m_prediction.isPending()) {
        m_stale = true;
        return;
    }
    m_prediction.expect(drawing ? m_answers.predictImage(m_folder, width, height, pixels)
                                : m_answers.predictRow(m_folder, csvLine(m_row->fields())));
}

void TryIt::show(const Error& error)
{
    m_answer->clear({});
    m_problem->setText(errorText(error));
    m_problem->show();
}

} // namespace millrace::ui
