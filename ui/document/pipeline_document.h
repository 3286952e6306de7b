// The pipeline that is open: the only thing that widgets change, and what they listen to.
#pragma once

#include "engine/pipeline/catalogue.h"
#include "engine/pipeline/check.h"
#include "engine/pipeline/document.h"
#include "ui/document/change.h"
#include "ui/document/data_inspections.h"
#include "ui/document/run_progress.h"

#include <QObject>
#include <QString>
#include <QUndoStack>
#include <map>
#include <optional>

namespace millrace::ui {

/// A problem as the window shows it.
struct ProblemLine
{
    pipeline::Severity severity = pipeline::Severity::Error;
    Scope scope;           ///< the graph in which the node is
    std::string node;      ///< may be empty
    std::string parameter; ///< may be empty
    QString text;          ///< what is wrong and what to do
    std::optional<std::size_t> link;
    bool operator==(const ProblemLine&) const = default;
};

class PipelineDocument : public QObject
{
    Q_OBJECT

public:
    /// The catalogue must outlive the document; the inspector may be null and is not owned.
    PipelineDocument(const pipeline::Catalogue& catalogue, Inspector* inspector, QObject* parent = nullptr);

    const pipeline::Catalogue& catalogue() const { return m_catalogue; }
    const pipeline::Document& pipeline() const { return m_pipeline; }
    /// The pipeline, or the layers of the model node; null where that node has no layers of its own.
    const pipeline::Document* graph(const Scope& scope) const;
    /// The node's specification; null for a type that this version does not know.
    const pipeline::NodeSpec* spec(const pipeline::Node& node) const { return m_catalogue.find(node.type); }

    /// Everything anew: a file opened, a new pipeline. The undo stack starts afresh.
    void reset(pipeline::Document pipeline, const QString& filePath);
    /// The canonical text: what is saved and what is launched.
    std::string text() const { return pipeline::toText(m_pipeline); }

    QString filePath() const { return m_filePath; } ///< empty: never saved
    void setFilePath(const QString& path);
    QString fileName() const;
    QString baseDirectory() const; ///< of relative paths; empty where never saved
    QString name() const;
    bool isReadOnly() const { return m_pipeline.readOnly; }
    bool isModified() const { return !m_undoStack.isClean() || m_recovered; }
    /// What stands in the file is what is here.
    void setSaved();
    /// What is here stands in no file although nothing was changed: it came from an autosave.
    void setRecovered();

    QUndoStack* undoStack() { return &m_undoStack; }

    /// Makes the change and puts it on the undo stack under that name. Consecutive changes of the same `merge` (not
    /// empty) become one. Errors: Unsupported where the file is read-only.
    Status change(Change change, const QString& text, const QString& merge = {});
    /// The next change is a step of its own, whatever its `merge`: a field was left, a key let go.
    void endMerge() { ++m_mergeSession; }
    /// Renames a node. Errors: InvalidArgument, AlreadyExists, in words for the field.
    Status rename(const Scope& scope, const std::string& node, const std::string& id);
    Status setName(const QString& name);

    const pipeline::CheckReport& report() const { return m_report; }
    /// Facts and shapes of a model node's layers; those of the pipeline for the empty scope.
    const pipeline::CheckReport& report(const Scope& scope) const;
    const std::vector<ProblemLine>& problems() const { return m_problems; }
    /// The problems at the node; for a model node also those of its layers.
    std::vector<ProblemLine> problemsOf(const Scope& scope, const std::string& node) const;
    /// No errors: it may run.
    bool canRun() const { return m_report.ok(); }
    /// Whether a file is being looked at for the node.
    bool isBeingInspected(const std::string& node) const { return m_inspected.contains(node); }
    /// Looks again at the files that data nodes name.
    void refreshInspections() { m_inspections.refresh(); }

    /// Whether the node draws a model, as layers or as a family of its own such as GPT.
    bool drawsModel(const pipeline::Node& node) const;
    /// What the model node's rows are, where its training node's rows are known: for a text windows of its tokens.
    pipeline::RowsSchema schemaFor(const std::string& modelNode) const;

    const RunProgress& progress() const { return m_progress; }
    /// What the run of this pipeline says; an empty value takes the states away.
    void setProgress(const RunProgress& progress);

signals:
    void resetDone();
    void changed(const millrace::ui::Change& change);
    /// Report and problems are new.
    void checked();
    void titleChanged(); ///< name, file or whether it is saved
    void progressChanged();

private:
    friend class ChangeCommand;
    void applyChange(const Change& change);
    void keepLayers(const Change& change);
    void check();
    void collectProblems();
    pipeline::Document* mutableGraph(const Scope& scope);

    const pipeline::Catalogue& m_catalogue;
    pipeline::Document m_pipeline;
    mutable std::map<Scope, pipeline::Document> m_layers; ///< parsed when first asked for
    QString m_filePath;
    QUndoStack m_undoStack;
    bool m_recovered = false;
    DataInspections m_inspections;
    pipeline::CheckReport m_report;
    mutable std::map<Scope, pipeline::CheckReport> m_layerReports;
    std::vector<ProblemLine> m_problems;
    std::set<std::string> m_inspected;
    RunProgress m_progress;
    int m_mergeSession = 0;
};

/// What is open and where its nodes are, for widgets that name nodes: the scope of "net/conv1" is "net".
std::pair<Scope, std::string> splitSubject(const std::string& subject);

} // namespace millrace::ui
