// The panel at the right of the canvas: the parameters of the selected node, else what is known about the pipeline.
#pragma once

#include "ui/document/pipeline_document.h"
#include "ui/widgets/surface.h"

#include <string>
#include <vector>

class QScrollArea;

namespace millrace::ui {

class PropertyPage;

class PropertyPanel : public Surface
{
    Q_OBJECT

public:
    explicit PropertyPanel(PipelineDocument& document, QWidget* parent = nullptr);

    void showSelection(const Scope& scope, const std::vector<std::string>& nodes);
    /// Puts the cursor into the parameter's field, where the selected node has it.
    void focusParameter(const std::string& parameter);

signals:
    void openLayersRequested(const QString& node);

private:
    /// What a page is about; another one is made where this differs.
    struct Subject
    {
        Scope scope;
        std::vector<std::pair<std::string, std::string>> nodes; ///< id and type
        bool readOnly = false;
        bool operator==(const Subject&) const = default;
    };

    Subject subject() const;
    void take(const Change& change);
    void refresh();
    void rebuild(Subject subject);

    PipelineDocument& m_document;
    QScrollArea* m_scroll;
    PropertyPage* m_page = nullptr;
    Scope m_scope;
    std::vector<std::string> m_nodes;
    Subject m_shown;
    bool m_moreOpen = false;
};

} // namespace millrace::ui
