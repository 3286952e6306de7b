#include "ui/models/text_trial.h"

#include "ui/charts/axis_ticker.h"
#include "ui/theme/theme.h"
#include "ui/widgets/button.h"
#include "ui/widgets/label.h"

#include <QAction>
#include <QDoubleSpinBox>
#include <QHBoxLayout>
#include <QLocale>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QScrollBar>
#include <QSpinBox>
#include <QVBoxLayout>
#include <limits>

namespace millrace::ui {

using namespace Qt::StringLiterals;

namespace {

constexpr int kFlushMs = 30;
constexpr int kMostTokens = 100'000;

template <class Box, class Value> Box* makeBox(Value least, Value most, Value value, Value step)
{
    auto* box = new Box;
    box->setRange(least, most);
    box->setSingleStep(step);
    box->setValue(value);
    return box;
}

void addSetting(QGridLayout& grid, int place, const QString& name, const QString& tip, QWidget* field)
{
    auto* label = new Label(name, TextStyle::Caption, Role::Muted);
    label->setBuddy(field);
    field->setAccessibleName(name);
    field->setToolTip(tip);
    label->setToolTip(tip);
    grid.addWidget(label, place / 2 * 2, place % 2);
    grid.addWidget(field, place / 2 * 2 + 1, place % 2);
}

/// What a model writes may hold any character; a text field shows lines and tabs of it.
QString shownText(const QString& text)
{
    QString clean;
    for (const QChar c : text)
        if (c == u'\n' || c == u'\t' || c.category() != QChar::Other_Control) clean += c;
    return clean;
}

} // namespace

TextTrial::TextTrial(RunnerAnswers& answers, QWidget* parent)
    : QWidget(parent), m_answers(answers), m_prompt(new QPlainTextEdit), m_text(new QPlainTextEdit),
      m_temperature(makeBox<QDoubleSpinBox>(0.0, 100.0, 0.8, 0.1)),
      m_topP(makeBox<QDoubleSpinBox>(0.01, 1.0, 1.0, 0.05)), m_topK(makeBox<QSpinBox>(0, 1'000'000, 0, 10)),
      m_tokens(makeBox<QSpinBox>(1, kMostTokens, 200, 50)),
      m_seed(makeBox<QSpinBox>(0, std::numeric_limits<int>::max(), 0, 1)),
      m_generate(makeButton(tr("Generate"), ButtonKind::Primary, u"play"_s)), m_stop(makeButton(tr("Stop"))),
      m_status(new Label({}, TextStyle::Caption, Role::Muted))
{
    m_prompt->setPlaceholderText(tr("The text to go on from"));
    m_prompt->setAccessibleName(tr("Prompt"));
    m_text->setPlaceholderText(tr("What the model writes appears here."));
    m_text->setAccessibleName(tr("Generated text"));
    m_text->setReadOnly(true);
    for (QPlainTextEdit* edit : {m_prompt, m_text}) {
        edit->setFont(theme().font(TextStyle::Code));
        edit->setTabChangesFocus(true);
    }
    m_status->setWordWrap(true);

    auto* buttons = new QHBoxLayout;
    buttons->setSpacing(8);
    buttons->addWidget(m_generate);
    buttons->addWidget(m_stop);
    buttons->addStretch(1);
    auto* left = new QVBoxLayout;
    left->setSpacing(10);
    left->addWidget(m_prompt, 1);
    left->addWidget(makeSettings());
    left->addLayout(buttons);
    auto* right = new QVBoxLayout;
    right->setSpacing(8);
    right->addWidget(m_text, 1);
    right->addWidget(m_status);
    auto* layout = new QHBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(20);
    layout->addLayout(left, 2);
    layout->addLayout(right, 3);

    m_flush.setInterval(kFlushMs);
    m_flush.setSingleShot(true);
    connect(&m_flush, &QTimer::timeout, this, &TextTrial::flush);
    connect(m_prompt, &QPlainTextEdit::textChanged, this, &TextTrial::updateButtons);
    m_generate->setToolTip(tr("Goes on from the prompt (Ctrl+Return)"));
    m_stop->setToolTip(tr("Ends the text where it is (Escape)"));
    connect(m_generate, &QPushButton::clicked, this, &TextTrial::generate);
    connect(m_stop, &QPushButton::clicked, this, &TextTrial::stop);
    const auto key = [this](const QKeySequence& sequence, void (TextTrial::*slot)()) {
        auto* action = new QAction(this);
        action->setShortcut(sequence);
        action->setShortcutContext(Qt::WidgetWithChildrenShortcut);
        addAction(action);
        connect(action, &QAction::triggered, this, slot);
    };
    key(QKeySequence(Qt::CTRL | Qt::Key_Return), &TextTrial::generate);
    key(QKeySequence(Qt::Key_Escape), &TextTrial::stop);
    connect(&answers, &RunnerAnswers::generatedText, this, [this](RequestId request, const QString& piece) {
        if (request != m_request) return;
        m_pending += shownText(piece);
        if (!m_flush.isActive()) m_flush.start();
    });
    connect(&answers, &RunnerAnswers::generated, this, [this](RequestId request, const Generation& generation) {
        if (request != m_request) return;
        const double rate = generation.seconds > 0 ? static_cast<double>(generation.tokens) / generation.seconds : 0;
        const QString count =
            tr("%1 tokens · %2 tokens/s").arg(QLocale().toString(generation.tokens), numberText(rate));
        end(generation.stopped ? tr("Stopped · %1").arg(count) : count, false);
    });
    connect(&answers, &RunnerAnswers::failed, this, [this](RequestId request, const Error& error) {
        if (request == m_request) end(errorText(error), true);
    });
    updateButtons();
}

QWidget* TextTrial::makeSettings()
{
    auto* settings = new QWidget;
    auto* grid = new QGridLayout(settings);
    grid->setContentsMargins(0, 0, 0, 0);
    grid->setHorizontalSpacing(10);
    grid->setVerticalSpacing(3);
    m_topK->setSpecialValueText(tr("all"));
    addSetting(*grid, 0, tr("Temperature"),
               tr("Above 1 the text is more surprising, below less; 0 takes always the likeliest token"),
               m_temperature);
    addSetting(*grid, 1, tr("Tokens"), tr("How many tokens are generated"), m_tokens);
    addSetting(*grid, 2, tr("Top-k"), tr("Only the likeliest so many tokens are drawn"), m_topK);
    addSetting(*grid, 3, tr("Top-p"), tr("Only the likeliest tokens that together have this probability are drawn"),
               m_topP);
    addSetting(*grid, 4, tr("Seed"), tr("The same seed gives the same text"), m_seed);
    return settings;
}

void TextTrial::setModel(const QString& folder)
{
    if (folder == m_folder) return;
    stop();
    m_request = 0; // what still comes belongs to another model
    m_folder = folder;
    m_pending.clear();
    m_text->clear();
    m_status->setText({});
    updateButtons();
}

void TextTrial::clear()
{
    stop();
    m_request = 0;
    m_pending.clear();
    m_prompt->clear();
    m_text->clear();
    m_status->setText({});
    updateButtons();
}

GenerationSettings TextTrial::settings() const
{
    return {m_prompt->toPlainText(), m_tokens->value(), m_topK->value(),
            m_temperature->value(),  m_topP->value(),   static_cast<quint64>(m_seed->value())};
}

QString TextTrial::status() const
{
    return m_status->text();
}

void TextTrial::generate()
{
    if (!m_generate->isEnabled()) return;
    m_text->clear();
    m_pending.clear();
    m_status->setRole(Role::Muted);
    m_status->setText(tr("Generating"));
    m_request = m_answers.generate(m_folder, settings());
    updateButtons();
}

void TextTrial::stop()
{
    if (m_request != 0) m_answers.stopGenerating(m_request);
}

void TextTrial::flush()
{
    QScrollBar* bar = m_text->verticalScrollBar();
    const bool atEnd = bar->value() == bar->maximum();
    QTextCursor cursor(m_text->document()); // not the field's own: what one has selected stays
    cursor.movePosition(QTextCursor::End);
    cursor.insertText(std::exchange(m_pending, {}));
    if (atEnd) bar->setValue(bar->maximum());
}

void TextTrial::end(const QString& status, bool bad)
{
    m_request = 0;
    m_flush.stop();
    flush();
    m_status->setRole(bad ? Role::Bad : Role::Muted);
    m_status->setText(status);
    updateButtons();
}

void TextTrial::updateButtons()
{
    m_generate->setEnabled(!m_folder.isEmpty() && m_request == 0 && !m_prompt->toPlainText().isEmpty());
    m_stop->setEnabled(m_request != 0);
}

} // namespace millrace::ui
