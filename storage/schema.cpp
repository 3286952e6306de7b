// The tables, as numbered steps. A step that was released is never changed; a new one is added after it.
#include "storage/tracking_database.h"

#include <array>

namespace millrace::storage {

namespace {
// `t` is milliseconds since the run was created: three or four bytes in a row instead of six.
// A metric value that is NULL is NaN, which SQLite does not store.
constexpr std::string_view kVersion1 = R"sql(
CREATE TABLE runs(
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL UNIQUE,
    pipeline_name TEXT NOT NULL,
    experiment TEXT NOT NULL,
    state TEXT NOT NULL,
    cause TEXT,
    created_ms INTEGER NOT NULL,
    started_ms INTEGER NOT NULL DEFAULT 0,
    ended_ms INTEGER NOT NULL DEFAULT 0,
    worked_ms INTEGER NOT NULL DEFAULT 0,
    target TEXT NOT NULL,
    device TEXT NOT NULL,
    folder TEXT NOT NULL,
    last_seq INTEGER NOT NULL DEFAULT 0,
    journal_offset INTEGER NOT NULL DEFAULT 0,
    journal_seq INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX runs_by_time ON runs(created_ms);

CREATE TABLE pipelines(
    run INTEGER PRIMARY KEY REFERENCES runs(key) ON DELETE CASCADE,
    text TEXT NOT NULL
) STRICT;

CREATE TABLE parameters(
    run INTEGER NOT NULL REFERENCES runs(key) ON DELETE CASCADE,
    node TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY(run, node, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE series(
    key INTEGER PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES runs(key) ON DELETE CASCADE,
    name TEXT NOT NULL,
    stage TEXT NOT NULL,
    UNIQUE(run, name)
) STRICT;

CREATE TABLE points(
    series INTEGER NOT NULL,
    step INTEGER NOT NULL,
    t INTEGER NOT NULL,
    value REAL,
    PRIMARY KEY(series, step)
) STRICT, WITHOUT ROWID;

CREATE TABLE stages(
    run INTEGER NOT NULL REFERENCES runs(key) ON DELETE CASCADE,
    id TEXT NOT NULL,
    first_seq INTEGER NOT NULL,
    type TEXT NOT NULL,
    state TEXT NOT NULL,
    seconds REAL,
    progress TEXT,
    facts TEXT,
    PRIMARY KEY(run, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE artifacts(
    run INTEGER NOT NULL REFERENCES runs(key) ON DELETE CASCADE,
    seq INTEGER NOT NULL,
    t INTEGER NOT NULL,
    fields TEXT NOT NULL,
    PRIMARY KEY(run, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE checkpoints(
    run INTEGER NOT NULL REFERENCES runs(key) ON DELETE CASCADE,
    seq INTEGER NOT NULL,
    t INTEGER NOT NULL,
    stage TEXT NOT NULL,
    step INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    path TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY(run, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE logs(
    run INTEGER NOT NULL REFERENCES runs(key) ON DELETE CASCADE,
    seq INTEGER NOT NULL,
    t INTEGER NOT NULL,
    level TEXT NOT NULL,
    stage TEXT NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY(run, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE telemetry(
    run INTEGER NOT NULL REFERENCES runs(key) ON DELETE CASCADE,
    seq INTEGER NOT NULL,
    t INTEGER NOT NULL,
    cpu_percent REAL NOT NULL,
    process_cpu_percent REAL NOT NULL,
    memory_bytes INTEGER NOT NULL,
    host_memory_used_bytes INTEGER NOT NULL,
    host_memory_bytes INTEGER NOT NULL,
    devices TEXT,
    PRIMARY KEY(run, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE models(
    key INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    next_version INTEGER NOT NULL DEFAULT 1
) STRICT;

CREATE TABLE model_versions(
    model INTEGER NOT NULL REFERENCES models(key) ON DELETE CASCADE,
    version INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    path TEXT NOT NULL,
    run INTEGER REFERENCES runs(key),
    stage TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    classes TEXT NOT NULL,
    metrics TEXT NOT NULL,
    PRIMARY KEY(model, version),
    UNIQUE(model, sha256)
) STRICT, WITHOUT ROWID;
CREATE INDEX model_versions_by_run ON model_versions(run);

CREATE TABLE aliases(
    model INTEGER NOT NULL,
    alias TEXT NOT NULL,
    version INTEGER NOT NULL,
    set_ms INTEGER NOT NULL,
    PRIMARY KEY(model, alias),
    FOREIGN KEY(model, version) REFERENCES model_versions(model, version) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
)sql";

constexpr std::array kMigrations{Migration{1, kVersion1}};
} // namespace

std::span<const Migration> schema()
{
    return kMigrations;
}

} // namespace millrace::storage
