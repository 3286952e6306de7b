// The page of one node: what it is, its name, and one field for each of its parameters.
#pragma once

#include "ui/design/property_notes.h"

class QLineEdit;
class QPushButton;

namespace millrace::ui {

class FieldFrame;
class Label;
class ParamEditor;

class NodePage : public PropertyPage
{
    Q_OBJECT

public:
    /// `moreOpen`: whether the parameters under "More" are seen at once.
    NodePage(PipelineDocument& document, const Scope& scope, const std::string& node, bool moreOpen,
             QWidget* parent = nullptr);

    void refresh() override;
    void follow(const std::string& before, const std::string& after) override;
    bool focusParameter(const std::string& parameter) override;

signals:
    void openLayersRequested(const QString& node);
    void moreToggled(bool open);

private:
    const pipeline::Node* node() const;
    void makeHead(const pipeline::Node& node);
    void makeEditors(bool moreOpen);
    void makeMore(const std::vector<const pipeline::ParamSpec*>& specs, bool open);
    ParamEditor* makeEditor(const pipeline::ParamSpec& spec);
    void setMoreOpen(bool open);
    void rename();
    void set(const pipeline::ParamSpec& spec, const std::optional<pipeline::Json>& value);
    void refreshProblems();
    void refreshUnknown(const pipeline::Node& node);
    ParamEditor* editor(const std::string& parameter) const;

    PipelineDocument& m_document;
    const Scope m_scope;
    std::string m_node;
    const pipeline::NodeSpec* m_spec = nullptr; ///< null: a type that this version does not know
    Label* m_fact = nullptr;
    NoteList* m_problems = nullptr;
    FieldFrame* m_nameFrame = nullptr;
    QLineEdit* m_name = nullptr;
    std::vector<ParamEditor*> m_editors;
    QPushButton* m_moreButton = nullptr;
    QWidget* m_more = nullptr;
    QWidget* m_unknownSection = nullptr;
    NoteList* m_unknown = nullptr;
};

} // namespace millrace::ui
