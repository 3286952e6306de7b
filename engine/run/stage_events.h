// How stages speak: everything they say becomes events of the journal, in order, from any thread of the runner.
#pragma once

#include "engine/protocol/journal.h"
#include "engine/train/observer.h"

#include <mutex>
#include <string>
#include <vector>

namespace millrace::run {

/// Invariant: after `flush` everything said before it is in the journal. A failure to write is kept and returned by
/// the next `flush` or `status`: a run whose journal cannot be written must end.
class StageEvents : public train::Observer
{
public:
    explicit StageEvents(protocol::JournalWriter journal) : m_journal(std::move(journal)) {}

    void emit(std::string kind, nlohmann::json fields);
    /// The stage whose metrics and progress follow.
    void beginStage(std::string stage, std::string type);

    void metric(std::string_view name, std::int64_t step, double value) override;
    void advanced(const protocol::Progress& progress) override;
    void note(LogLevel level, std::string_view text) override;
    /// Writes what is buffered; with `durable` also through a power cut.
    Status flush(bool durable) override;
    void checkpointSaved(const train::CheckpointNote& checkpoint) override;

    Status status() const;

private:
    void flushMetrics(); // with m_mutex held
    void append(std::string kind, nlohmann::json fields);

    mutable std::mutex m_mutex; // guards all below
    protocol::JournalWriter m_journal;
    std::string m_stage, m_type;
    nlohmann::json m_points = nlohmann::json::array();
    std::int64_t m_lastFlushUs = 0, m_lastProgressUs = 0;
    Status m_status;
};

} // namespace millrace::run
