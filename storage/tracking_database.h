// The tracking database: an index of all runs' journals, of their metrics, and of the models they made.
//
// An object belongs to one thread. Several objects, in one process or several, may have the same file open.
// Every write is one short transaction under the advisory lock `millrace.db.lock`; readers take no lock.
#pragma once

#include "storage/records.h"

#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace millrace::storage {

enum class Access
{
    ReadWrite,
    ReadOnly
};

/// One step of the schema: brings a database of version - 1 to `version`.
struct Migration
{
    int version = 0;
    std::string_view sql;
};
/// All steps of this build, from version 1.
std::span<const Migration> schema();

struct OpenOptions
{
    /// No WAL although the file system is local, as for a folder that is synchronised to a cloud.
    bool rollbackJournal = false;
    std::span<const Migration> migrations = schema();
};

class TrackingDatabase
{
public:
    /// Opens, and for ReadWrite creates or migrates, the file. Before a migration a backup is made beside it.
    /// Errors: NewerFormat for writing to a newer Millrace's database (ReadOnly opens it);
    /// Corrupt, with the last backup and what to do as advice, for a damaged file or another program's; the file is
    /// left as it is. NotFound for ReadOnly where there is none. Busy, Permission, DiskFull, Io.
    static Result<TrackingDatabase> open(const std::string& path, Access access = Access::ReadWrite,
                                         const OpenOptions& options = {});
    TrackingDatabase(TrackingDatabase&&) noexcept;
    TrackingDatabase& operator=(TrackingDatabase&&) noexcept;
    ~TrackingDatabase();

    const std::string& path() const;
    Access access() const;
    /// What the user should know, such as that the folder is on a network file system; empty for nothing.
    const std::string& notice() const;

    // Runs

    /// Adds the run; one that is known stays as it is.
    Status createRun(const NewRun& run);
    /// Stores what follows the last stored event of each run; what is stored already is skipped, so that the same
    /// events may come twice or from two watchers. Groups of at most 1,000 points, each one transaction.
    /// Errors: NotFound for an unknown run, InvalidArgument for a gap in seq (both with the run as subject): then the
    /// runs before it are stored.
    Status ingest(std::span<const RunEvents> news);
    Status ingest(const std::string& run, std::span<const protocol::Event> events, std::uint64_t journalOffset = 0);
    /// Forgets everything that came from the run's journal, so that it can be read again from its start.
    Status forgetEvents(const std::string& run);
    /// Sets the state of a run that has no journal to say it.
    Status setRunState(const std::string& run, protocol::RunState state, const std::optional<Error>& cause = {});
    Status setExperiment(const std::string& run, const std::string& experiment);
    /// Removes all of the run's rows. `removeRun` removes its folder too.
    /// Errors: NotFound; InvalidArgument where a registered model version lies in its folder.
    Status deleteRun(const std::string& run);

    Result<std::vector<Run>> runs(const RunQuery& query = {});
    /// By id, name, or the unique beginning of an id.
    /// Errors: NotFound with the nearest names, InvalidArgument with the candidates where several fit.
    Result<Run> run(const std::string& idOrName);
    /// Experiments with the number of their runs.
    Result<std::map<std::string, std::size_t>> experiments();

    // What a run said; `run` is its id.

    Result<std::string> pipelineText(const std::string& run);
    Result<std::vector<Parameter>> parameters(const std::string& run);
    Result<std::map<std::string, double>> lastMetrics(const std::string& run);
    Result<std::vector<SeriesInfo>> seriesNames(const std::string& run);
    /// The series by step; with `buckets` > 0 at most 2 · buckets + 2 points: first, last, and the smallest and
    /// largest of each bucket of equally many steps. A run without the series answers with no points.
    Result<std::vector<Point>> series(const std::string& run, const std::string& name, std::size_t buckets = 0);
    Result<std::vector<Stage>> stages(const std::string& run);
    Result<std::vector<Artifact>> artifacts(const std::string& run);
    Result<std::vector<Checkpoint>> checkpoints(const std::string& run);
    /// Lines after the event `afterSeq`; with `limit` > 0 the last so many of them.
    Result<std::vector<LogLine>> logs(const std::string& run, std::int64_t afterSeq = 0, std::size_t limit = 0);
    /// With `maximum` > 0 every n-th sample, so that at most so many come.
    Result<std::vector<TelemetrySample>> telemetry(const std::string& run, std::size_t maximum = 0);

    // Models

    Result<std::vector<Model>> models();
    /// Newest first. Errors: NotFound with the nearest names.
    Result<std::vector<ModelVersion>> modelVersions(const std::string& name);
    /// Adds a version, or finds the one with the same bytes. Versions that runs register come in by `ingest`.
    Result<ModelVersion> registerModel(const ModelVersion& version);
    /// Moves the alias to the version.
    Status setAlias(const std::string& model, const std::string& alias, std::int64_t version);
    Status removeAlias(const std::string& model, const std::string& alias);
    /// "digits" (the newest), "digits:3" or "digits@best".
    Result<ModelVersion> resolveModel(std::string_view reference);
    /// Forgets the version; its number is not given again. Its file stays.
    Status deleteModelVersion(const std::string& model, std::int64_t version);

    // Care

    /// A consistent copy beside the database (folder `backups`); the last seven are kept. Returns its path.
    Result<std::string> backUp();
    /// backUp, unless the last one is younger than a day.
    Status backUpDaily();
    /// Reads the whole file. Errors: Corrupt.
    Status verify();
    /// Moves what the WAL holds into the file, as far as no reader needs it.
    Status checkpoint();

private:
    struct Impl;
    explicit TrackingDatabase(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> m_impl;
};

} // namespace millrace::storage
