// The pages that are about no single node: the pipeline (or a model's layers) itself, and several nodes at once.
#pragma once

#include "ui/design/property_notes.h"

class QLineEdit;

namespace millrace::ui {

class FieldFrame;
class Label;

/// Name, size, what is known before a run, and what is wrong.
class GraphPage : public PropertyPage
{
    Q_OBJECT

public:
    GraphPage(PipelineDocument& document, const Scope& scope, QWidget* parent = nullptr);

    void refresh() override;

private:
    QWidget* makeName();

    PipelineDocument& m_document;
    const Scope m_scope;
    Label* m_help;
    FieldFrame* m_nameFrame = nullptr;
    QLineEdit* m_name = nullptr; ///< of the pipeline; layers are named as their node
    NoteList* m_size;
    QWidget* m_factsSection;
    NoteList* m_facts;
    QWidget* m_problemsSection;
    NoteList* m_problems;
};

/// "3 nodes selected" and what can be done with them.
class SeveralPage : public PropertyPage
{
    Q_OBJECT

public:
    SeveralPage(PipelineDocument& document, const Scope& scope, std::vector<std::string> nodes,
                QWidget* parent = nullptr);

    void refresh() override;
    void follow(const std::string& before, const std::string& after) override;

private:
    PipelineDocument& m_document;
    const Scope m_scope;
    std::vector<std::string> m_nodes;
    NoteList* m_list;
};

} // namespace millrace::ui
