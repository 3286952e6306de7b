// The filter of the table of runs: free words and comparisons such as  metrics.test.accuracy > 0.95 and state =
// finished
//
//   any    := all ("or" all)*
//   all    := one ("and"? one)*
//   one    := "not" one | "(" any ")" | field sign value | word
//   field  := metrics.NAME | params.NAME | name | id | state | pipeline | target | experiment | seconds
//   sign   := = == != ~ > >= < <=          ~ : the text contains the value
//   value  := number | word | "any text"
// A word alone stands in the run's name, identifier, pipeline, state, target or experiment. Case does not matter.
#pragma once

#include "kernels/base/result.h"
#include "ui/bridge/values.h"

#include <QString>
#include <memory>
#include <vector>

namespace millrace::ui {

class RunFilter
{
public:
    /// What lets everything through.
    RunFilter();
    ~RunFilter();
    RunFilter(RunFilter&&) noexcept;
    RunFilter& operator=(RunFilter&&) noexcept;

    /// Errors: InvalidArgument saying what was expected where.
    static Result<RunFilter> parse(const QString& text);

    bool matches(const RunSummary& run) const;
    bool isEmpty() const;
    /// The names of metrics that it asks for, to say when no run has one.
    QStringList metricNames() const;

    struct Node;

private:
    std::unique_ptr<Node> m_root; ///< null: everything
};

} // namespace millrace::ui
