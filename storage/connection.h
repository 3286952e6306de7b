// One hardened SQLite connection: how the file is opened, checked, migrated, locked and checkpointed. Internal to
// storage.
#pragma once

#include "kernels/base/files.h"
#include "storage/tracking_database.h"

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Exception.h>
#include <SQLiteCpp/Statement.h>
#include <exception>
#include <map>
#include <memory>
#include <string>
#include <utility>

namespace millrace::storage {

class Connection
{
public:
    static Result<std::unique_ptr<Connection>> open(const std::string& path, Access access, const OpenOptions& options);
    /// Checkpoints, where that does not make anybody wait.
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    const std::string& path() const { return m_path; }
    Access access() const { return m_access; }
    const std::string& notice() const { return m_notice; }
    SQLite::Database& database() { return m_database; }

    /// The statement of that text, prepared once. Only `Query` uses it, so that it is always reset.
    SQLite::Statement& statement(const std::string& sql);

    /// Runs `work` (returning Status or Result) and turns SQLite's exceptions into errors.
    template <class Work> auto read(Work&& work) -> decltype(work());
    /// Runs `work` (returning Status) as one transaction under the advisory lock; an error or exception rolls it back.
    template <class Work> Status write(Work&& work);

    Status checkpoint();
    Status quickCheck();
    Result<std::string> backUp();

private:
    Connection(std::string path, Access access, int flags);
    Status prepare(const OpenOptions& options);
    void harden();
    Status identify(const OpenOptions& options);
    Status chooseJournal(const OpenOptions& options);
    Status migrate(const OpenOptions& options);
    Status mayWrite() const;
    Result<FileLock> lock() const;
    void checkpointLocked(const char* mode);
    Result<std::string> backUpLocked();
    Status asStatus(const std::exception& exception);
    int version();

    std::string m_path;
    Access m_access;
    std::string m_notice;
    SQLite::Database m_database;
    std::map<std::string, SQLite::Statement> m_statements; ///< after m_database: destroyed before it
    bool m_isOurs = false;   ///< the file is one of Millrace, of a version that this build writes
    bool m_isBroken = false; ///< a write failed in a way after which only a new connection knows what is there
    int m_walPages = 0;      ///< in the WAL after the last commit
};

/// The Error of an SQLite failure on that file; Corrupt carries the way back as advice.
Error errorFrom(const std::exception& exception, const std::string& path);

/// One use of a prepared statement: bound in order, reset at the end so that no read transaction stays open.
class Query
{
public:
    template <class... Values>
    Query(Connection& connection, const std::string& sql, const Values&... values)
        : m_statement(connection.statement(sql))
    {
        int index = 0;
        (bind(++index, values), ...);
    }
    ~Query() { m_statement.tryReset(); }
    Query(const Query&) = delete;
    Query& operator=(const Query&) = delete;

    /// Whether there is a (next) row.
    bool next() { return m_statement.executeStep(); }
    /// Runs a statement without rows; how many rows it changed.
    int run() { return m_statement.exec(); }

    std::int64_t integer(int column) { return m_statement.getColumn(column).getInt64(); }
    double real(int column) { return m_statement.getColumn(column).getDouble(); }
    std::string text(int column) { return m_statement.getColumn(column).getString(); }
    bool isNull(int column) { return m_statement.getColumn(column).isNull(); }

private:
    void bind(int index, std::int64_t value) { m_statement.bind(index, value); }
    void bind(int index, std::uint64_t value) { m_statement.bind(index, static_cast<std::int64_t>(value)); }
    void bind(int index, int value) { m_statement.bind(index, value); }
    void bind(int index, double value) { m_statement.bind(index, value); }
    void bind(int index, std::string_view value) { m_statement.bind(index, std::string(value)); }
    void bind(int index, std::nullptr_t) { m_statement.bind(index); }
    template <class T> void bind(int index, const std::optional<T>& value)
    {
        if (value)
            bind(index, *value);
        else
            bind(index, nullptr);
    }

    SQLite::Statement& m_statement;
};

template <class Work> auto Connection::read(Work&& work) -> decltype(work())
{
    try {
        return work();
    } catch (const std::exception& exception) {
        return errorFrom(exception, m_path);
    }
}

template <class Work> Status Connection::write(Work&& work)
{
    MR_CHECK(mayWrite());
    MR_TRY(const FileLock held, lock());
    try {
        m_database.exec("BEGIN IMMEDIATE");
        if (Status done = work(); !done) {
            m_database.exec("ROLLBACK");
            return done;
        }
        m_database.exec("COMMIT");
        checkpointLocked("PASSIVE");
        return {};
    } catch (const std::exception& exception) {
        return asStatus(exception);
    }
}

} // namespace millrace::storage
