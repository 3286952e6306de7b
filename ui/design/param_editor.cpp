#include "ui/design/param_editor.h"

#include "ui/design/param_editor_value.h"
#include "ui/document/text.h"
#include "ui/theme/theme.h"
#include "ui/widgets/button.h"
#include "ui/widgets/label.h"

#include <QAction>
#include <QCheckBox>
#include <QComboBox>
#include <QFileDialog>
#include <QHBoxLayout>
#include <QLineEdit>
#include <QWheelEvent>

namespace millrace::ui {

using pipeline::Json;
using pipeline::ParamKind;
using pipeline::ParamSpec;

namespace {

bool unitSaysMore(const ParamSpec& spec)
{
    return !spec.unit.empty() && toQt(spec.unit).compare(toQt(spec.title), Qt::CaseInsensitive) != 0;
}

} // namespace

ParamEditor::ParamEditor(const ParamSpec& spec, QWidget* parent)
    : FieldFrame(toQt(spec.title), rangeText(spec), parent), m_spec(spec), m_default(spec.defaultValue)
{
    QWidget* field = makeField();
    field->setObjectName(toQt(spec.id));
    field->setToolTip(paramToolTip(spec));
    if (spec.kind == ParamKind::Path) m_browse = makeBrowse();
    setField(field, m_browse);
    connect(resetAction(), &QAction::triggered, this, [this] {
        m_typedProblem.clear();
        if (m_edit) showText(fieldText(m_default));
        emit editingFinished(); // a step of its own, apart from what was typed before
        emit resetRequested();
        emit editingFinished();
    });
}

QWidget* ParamEditor::makeField()
{
    switch (m_spec.kind) {
    case ParamKind::Boolean:
        return makeCheckBox();
    case ParamKind::Choice:
        return makeChoice();
    case ParamKind::Layers:
        return makeLayers();
    default:
        return makeText();
    }
}

QWidget* ParamEditor::makeText()
{
    m_edit = new QLineEdit;
    if (m_spec.kind == ParamKind::IntegerList) m_edit->setPlaceholderText(tr("none; or as 512, 256"));
    if (unitSaysMore(m_spec)) {
        auto* unit = new Label(toQt(m_spec.unit), TextStyle::Caption, Role::Faint, m_edit);
        unit->setAttribute(Qt::WA_TransparentForMouseEvents);
        auto* inside = new QHBoxLayout(m_edit);
        inside->setContentsMargins(0, 0, 10, 0);
        inside->addStretch();
        inside->addWidget(unit);
        m_edit->setTextMargins(0, 0, unit->sizeHint().width() + 4, 0);
    }
    wireLineEdit(m_edit, resetAction(), [this] {
        m_typedProblem.clear();
        showText(fieldText(m_value));
        showProblems();
    });
    connect(m_edit, &QLineEdit::textEdited, this, &ParamEditor::textEdited);
    connect(m_edit, &QLineEdit::editingFinished, this, &ParamEditor::finishText);
    return m_edit;
}

QWidget* ParamEditor::makeCheckBox()
{
    m_checkBox = new QCheckBox(tr("On"));
    m_checkBox->setContextMenuPolicy(Qt::ActionsContextMenu);
    m_checkBox->addAction(resetAction());
    connect(m_checkBox, &QCheckBox::clicked, this, [this](bool checked) {
        edit(checked);
        emit editingFinished();
    });
    return m_checkBox;
}

QWidget* ParamEditor::makeChoice()
{
    m_choice = new QComboBox;
    for (const std::string& choice : m_spec.choices) m_choice->addItem(toQt(choice));
    m_choice->setContextMenuPolicy(Qt::ActionsContextMenu);
    m_choice->addAction(resetAction());
    m_choice->setFocusPolicy(Qt::StrongFocus);
    m_choice->installEventFilter(this);
    connect(m_choice, &QComboBox::activated, this, [this](int index) {
        edit(m_choice->itemText(index).toStdString());
        emit editingFinished();
    });
    return m_choice;
}

QWidget* ParamEditor::makeLayers()
{
    auto* open = makeButton(tr("Open Layers"), ButtonKind::Secondary, QStringLiteral("layers"));
    connect(open, &QPushButton::clicked, this, &ParamEditor::openLayersRequested);
    return open;
}

QPushButton* ParamEditor::makeBrowse()
{
    auto* button = makeButton({}, ButtonKind::Secondary, QStringLiteral("folder"));
    button->setFixedWidth(34);
    button->setStyleSheet(QStringLiteral("padding: 0;"));
    button->setAccessibleName(tr("Choose %1").arg(toQt(m_spec.title)));
    button->setToolTip(m_spec.isFolder ? tr("Choose a folder") : tr("Choose a file"));
    connect(button, &QPushButton::clicked, this, &ParamEditor::browse);
    return button;
}

void ParamEditor::showValue(const std::optional<Json>& given)
{
    const Json value = given ? *given : m_default;
    const bool differs = given && !m_default.is_null() && *given != m_default;
    const bool layers = m_spec.kind == ParamKind::Layers;
    setResettable(differs && !layers && !m_readOnly, tr("Reset to %1").arg(fieldText(layers ? Json() : m_default)));
    const bool same = m_shown && value == m_value;
    m_value = value;
    m_shown = true;
    if (same) return;
    if (m_edit) {
        const auto typed = fieldValue(m_spec, m_edit->text());
        if (!typed || *typed != value) showText(fieldText(value));
        m_typedProblem.clear();
    } else if (m_checkBox) {
        m_checkBox->setCheckState(!value.is_boolean() ? Qt::PartiallyChecked
                                  : value.get<bool>() ? Qt::Checked
                                                      : Qt::Unchecked);
    } else if (m_choice) {
        const QString text = fieldText(value);
        while (m_choice->count() > static_cast<int>(m_spec.choices.size())) m_choice->removeItem(m_choice->count() - 1);
        // what this version does not know is shown, beside what it does
        if (m_choice->findText(text) < 0) m_choice->addItem(text);
        m_choice->setCurrentIndex(m_choice->findText(text));
    }
    showProblems();
}

void ParamEditor::showProblem(const QString& text, bool warning)
{
    m_checkProblem = text;
    m_checkWarns = warning;
    showProblems();
}

void ParamEditor::showProblems()
{
    const bool typed = !m_typedProblem.isEmpty();
    setProblem(typed ? m_typedProblem : m_checkProblem, !typed && m_checkWarns);
}

void ParamEditor::setReadOnly(bool readOnly)
{
    m_readOnly = readOnly;
    if (m_edit) m_edit->setReadOnly(readOnly);
    if (m_browse) m_browse->setEnabled(!readOnly);
    if (m_checkBox) m_checkBox->setEnabled(!readOnly);
    if (m_choice) m_choice->setEnabled(!readOnly);
}

void ParamEditor::textEdited(const QString& text)
{
    m_edit->setModified(true);
    auto value = fieldValue(m_spec, text);
    m_typedProblem = value ? QString() : words(value.error());
    showProblems();
    if (value) edit(*value);
}

// "1e-3" becomes "0.001"; what is not allowed stays, with its reason.
void ParamEditor::finishText()
{
    if (m_typedProblem.isEmpty() && m_edit->isModified()) showText(fieldText(m_value));
    emit editingFinished();
}

void ParamEditor::showText(const QString& text)
{
    if (m_edit->text() != text) m_edit->setText(text);
    m_edit->setModified(false);
}

void ParamEditor::edit(const Json& value)
{
    if (value != m_value) emit valueEdited(value);
}

void ParamEditor::browse()
{
    auto* dialog = new QFileDialog(this, tr("Choose %1").arg(toQt(m_spec.title)), m_baseDirectory);
    dialog->setAttribute(Qt::WA_DeleteOnClose);
    dialog->setFileMode(m_spec.isFolder ? QFileDialog::Directory : QFileDialog::ExistingFile);
    dialog->setOption(QFileDialog::ShowDirsOnly, m_spec.isFolder);
    connect(dialog, &QFileDialog::fileSelected, this, &ParamEditor::takePath);
    dialog->open();
}

void ParamEditor::takePath(const QString& path)
{
    showText(relativePath(path, m_baseDirectory));
    textEdited(m_edit->text());
    finishText();
}

// A wheel that scrolls the panel does not change what it passes over.
bool ParamEditor::eventFilter(QObject* watched, QEvent* event)
{
    if (watched == m_choice && event->type() == QEvent::Wheel && !m_choice->hasFocus()) {
        event->ignore();
        return true;
    }
    return FieldFrame::eventFilter(watched, event);
}

} // namespace millrace::ui
