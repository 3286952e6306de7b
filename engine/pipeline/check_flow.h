// The walk through a pipeline that its check is: rows and models followed from node to node. Only check*.cpp includes
// this.
#pragma once

#include "engine/pipeline/check.h"
#include "engine/pipeline/structure.h"
#include "kernels/base/text.h"
#include "kernels/base/units.h"

#include <optional>

namespace millrace::pipeline {

/// "1 row", "1,797 rows".
std::string count(std::int64_t number, std::string_view one, std::string_view many);
/// What a row is: "8×8×1", "30 columns", "vocabulary 65".
std::string features(const RowsSchema& schema);

/// What flows on a model link.
struct ModelFlow
{
    std::optional<std::size_t> drawn;    ///< the model.* node, while it is not trained
    std::optional<RowsSchema> trainedOn; ///< known rows that a training node fitted it to
    bool trained = false;
};

class Flow
{
public:
    Flow(const Document& document, const Catalogue& catalogue, const InspectData& inspect, CheckReport& report)
        : m_document(document), m_catalogue(catalogue), m_inspect(inspect), m_report(report),
          m_modelChecked(document.nodes.size(), false)
    {
    }
    void run();

private:
    void visit(const Node& node, const NodeSpec& spec, std::size_t index);
    // check_rows.cpp: where rows come from and what is done to them
    void visitData(const Node& node, const NodeSpec& spec, std::size_t index);
    void visitSplit(const Node& node, const NodeSpec& spec);
    void visitStandardize(const Node& node);
    void visitPreparation(const Node& node, const NodeSpec& spec);
    // check_training.cpp: where models come from and what is done with them
    void visitTrain(const Node& node, const NodeSpec& spec);
    void visitLanguage(const Node& node, const NodeSpec& spec);
    void visitEvaluate(const Node& node);
    void visitRegister(const Node& node, const NodeSpec& spec);
    void checkTraining(const Node& node, const NodeSpec& spec, const RowsSchema* train);
    void checkLoss(const Node& node, const NodeSpec& spec, const RowsSchema& train);
    void checkWarmup(const Node& node, const NodeSpec& spec, std::string_view length);
    void checkParts(const Node& node, const NodeSpec& spec);
    void checkText(const Node& node, const NodeSpec& spec, const RowsSchema& tokens);
    void takeModel(const Node& node, const RowsSchema* schema);
    bool needsTrained(const Node& node, const ModelFlow* model);
    void checkModel(std::size_t index, const RowsSchema* schema);
    bool isKnown(const Problem& problem) const;
    /// Rows that a model, fitted to other rows, is to read. Says the first thing in which they differ.
    void compare(const Node& node, const std::string& port, std::string_view whose, const RowsSchema& fitted,
                 const RowsSchema& other);

    bool isModel(std::size_t index) const;
    void error(const Node& node, std::string message, std::string advice, std::string parameter = {},
               std::string port = {});
    void warning(const Node& node, std::string message, std::string advice, std::string parameter = {});
    void warnOfEmptiness();
    const Link* linkInto(const Node& node, const std::string& port) const;
    bool linkUses(const Node& node, std::string_view port) const;
    const RowsSchema* rowsInto(const Node& node, const std::string& port) const;
    const ModelFlow* modelInto(const Node& node) const;
    void setRows(const Node& node, std::string_view port, RowsSchema schema);
    void setFact(const Node& node, std::string fact);
    std::string linkShape(std::size_t index) const;

    const Document& m_document;
    const Catalogue& m_catalogue;
    const InspectData& m_inspect;
    CheckReport& m_report;
    Structure m_structure;
    std::map<std::string, ModelFlow> m_models; ///< by the node that gives it
    std::vector<bool> m_modelChecked;
};

} // namespace millrace::pipeline
