// One parameter of one node as a field, made from its specification.
#pragma once

#include "engine/pipeline/catalogue.h"
#include "ui/design/param_editor_frame.h"

#include <QString>
#include <optional>

class QCheckBox;
class QComboBox;
class QLineEdit;
class QPushButton;

namespace millrace::ui {

class ParamEditor : public FieldFrame
{
    Q_OBJECT

public:
    /// The specification must outlive the editor.
    explicit ParamEditor(const pipeline::ParamSpec& spec, QWidget* parent = nullptr);

    const pipeline::ParamSpec& spec() const { return m_spec; }
    /// The default beside the node's other parameters, which it may follow; until then the specification's.
    void setDefault(pipeline::Json value) { m_default = std::move(value); }
    /// What the file says; nothing: the default holds. Text that is being typed stays as long as it means this value.
    void showValue(const std::optional<pipeline::Json>& given);
    /// What the check says about the value that the document has. What is wrong with the text typed comes first.
    void showProblem(const QString& text, bool warning);
    void setReadOnly(bool readOnly);
    /// Relative paths are relative to this folder; empty: the file was never saved.
    void setBaseDirectory(const QString& folder) { m_baseDirectory = folder; }

signals:
    /// A value that is allowed, with every key.
    void valueEdited(const millrace::pipeline::Json& value);
    /// Back to the default: the file says nothing.
    void resetRequested();
    /// The field was left or Enter pressed.
    void editingFinished();
    void openLayersRequested();

protected:
    bool eventFilter(QObject* watched, QEvent* event) override;

private:
    QWidget* makeField();
    QWidget* makeText();
    QWidget* makeCheckBox();
    QWidget* makeChoice();
    QWidget* makeLayers();
    QPushButton* makeBrowse();
    void textEdited(const QString& text);
    void finishText();
    void showText(const QString& text);
    void browse();
    void takePath(const QString& path);
    void edit(const pipeline::Json& value);
    void showProblems();

    const pipeline::ParamSpec& m_spec;
    pipeline::Json m_default;
    pipeline::Json m_value; ///< the document's: what the file says or the default
    bool m_shown = false;   ///< whether m_value has been shown once
    QString m_typedProblem, m_checkProblem;
    bool m_checkWarns = false;
    bool m_readOnly = false;
    QString m_baseDirectory;
    // the one that the kind asks for
    QLineEdit* m_edit = nullptr;
    QPushButton* m_browse = nullptr;
    QCheckBox* m_checkBox = nullptr;
    QComboBox* m_choice = nullptr;
};

} // namespace millrace::ui
