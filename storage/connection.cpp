#include "storage/connection.h"

#include "kernels/base/text.h"
#include "kernels/base/units.h"
#include "storage/recovery.h"

#include <chrono>
#include <ctime>
#include <fcntl.h>
#include <new>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <thread>
#include <unistd.h>

namespace millrace::storage {

namespace {
constexpr int kApplicationId = 0x4D4C5243; // "MLRC"
constexpr int kBusyTimeoutMs = 5000;
constexpr auto kLockWait = std::chrono::seconds(10);
constexpr int kCheckpointPages = 1000;
constexpr int kLargestValueBytes = 64 << 20;
constexpr std::size_t kBackupsKept = 7;
/// quick_check reads the whole file: about 0.1 s for this much. Larger files are read by the daily backup.
constexpr std::int64_t kCheckedAtOpenBytes = 64 << 20;

bool isNetworkFileSystem(const std::string& folder)
{
    struct statfs status
    {
    };
    if (::statfs(folder.empty() ? "." : folder.c_str(), &status) != 0) return false;
    switch (static_cast<unsigned long>(status.f_type)) {
    case 0x6969:     // NFS
    case 0x517B:     // SMB
    case 0xFE534D42: // SMB2
    case 0xFF534D42: // CIFS
    case 0x65735546: // FUSE: sshfs and its like cannot be told from local ones
    case 0x01021997: // 9p
    case 0x5346414F: // AFS
    case 0x00C36400: // Ceph
    case 0x0BD00BD0: // Lustre
    case 0x47504653: // GPFS
        return true;
    default:
        return false;
    }
}

std::int64_t fileBytes(const std::string& path)
{
    struct stat status
    {
    };
    return ::stat(path.c_str(), &status) == 0 ? static_cast<std::int64_t>(status.st_size) : -1;
}

int rememberWalPages(void* pages, sqlite3*, const char*, int count)
{
    *static_cast<int*>(pages) = count;
    return SQLITE_OK;
}

Error damaged(const std::string& path, const std::string& what)
{
    const auto backups = backupsOf(path);
    std::string advice =
        "Nothing in it was changed. Rename it and open Millrace again: the runs are read again from their journals.";
    if (!backups.empty())
        advice += str(" The last backup, with model aliases and experiments too, is \"", printable(backups.front()),
                      "\": copied to the database's place it comes first.");
    return makeError(Code::Corrupt, str("The tracking database \"", printable(path), "\" ", what))
        .atFile(path)
        .advise(std::move(advice));
}
} // namespace

Error errorFrom(const std::exception& exception, const std::string& path)
{
    if (dynamic_cast<const std::bad_alloc*>(&exception))
        return makeError(Code::OutOfMemory, "There is not enough memory for the query.").atFile(path);
    const auto* sqlite = dynamic_cast<const SQLite::Exception*>(&exception);
    if (!sqlite) return makeError(Code::Internal, exception.what()).atFile(path);
    Code code = Code::Internal;
    std::string advice;
    switch (sqlite->getErrorCode() & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return damaged(path, str("is damaged (", exception.what(), ")."));
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        code = Code::Busy;
        advice = "Another program has the file open for long; try again when it is done.";
        break;
    case SQLITE_FULL:
        code = Code::DiskFull;
        advice = "Free some space and try again.";
        break;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_CANTOPEN:
        code = Code::Permission;
        advice = "Check the permissions of the file and its folder.";
        break;
    case SQLITE_NOMEM:
        code = Code::OutOfMemory;
        break;
    case SQLITE_TOOBIG:
        code = Code::TooLarge;
        break;
    case SQLITE_IOERR:
        code = Code::Io;
        break;
    default:
        break;
    }
    return makeError(code, str("The tracking database \"", printable(path), "\" answered: ", exception.what(), "."))
        .atFile(path)
        .advise(std::move(advice));
}

Result<std::unique_ptr<Connection>> Connection::open(const std::string& path, Access access, const OpenOptions& options)
{
    const std::int64_t bytes = fileBytes(path);
    if (access == Access::ReadOnly && bytes < 0)
        return makeError(Code::NotFound, str("There is no tracking database \"", printable(path), "\" yet."))
            .atFile(path)
            .advise("Start a run: it makes one.");
    // SQLite would take an empty file for a new database, and what was in it would be gone without a word
    if (bytes == 0 && !backupsOf(path).empty()) return damaged(path, "is empty although there are backups of it.");
    if (access == Access::ReadWrite) MR_CHECK(makeDirectories(parentPath(path)));
    try {
        const int mode =
            access == Access::ReadOnly ? SQLite::OPEN_READONLY : SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE;
        std::unique_ptr<Connection> connection(new Connection(path, access, mode | SQLITE_OPEN_NOMUTEX));
        MR_CHECK(connection->prepare(options));
        return connection;
    } catch (const std::exception& exception) {
        return errorFrom(exception, path);
    }
}

Connection::Connection(std::string path, Access access, int flags)
    : m_path(std::move(path)), m_access(access), m_database(m_path, flags, kBusyTimeoutMs)
{
}

Connection::~Connection()
{
    m_statements.clear();
    if (!m_isOurs || m_isBroken || m_access == Access::ReadOnly) return;
    const auto held = FileLock::tryAcquire(m_path + ".lock");
    if (!held) return;
    try {
        m_database.setBusyTimeout(0);
        m_walPages = kCheckpointPages;
        checkpointLocked("TRUNCATE");
    } catch (const std::exception&) {
        // the WAL stays beside the file, whole; whoever opens next reads it
    }
}

Status Connection::prepare(const OpenOptions& options)
{
    harden();
    if (m_access == Access::ReadOnly) return identify(options);
    MR_TRY(const FileLock held, lock());
    MR_CHECK(identify(options));
    m_isOurs = true;
    MR_CHECK(chooseJournal(options));
    return migrate(options);
}

/// Nothing that the file says may run or allocate beyond bounds; see "Defense Against The Dark Arts" of SQLite.
void Connection::harden()
{
    sqlite3* handle = m_database.getHandle();
    const auto configure = [&](int option, int value) { ::sqlite3_db_config(handle, option, value, nullptr); };
    configure(SQLITE_DBCONFIG_DEFENSIVE, 1);
    configure(SQLITE_DBCONFIG_ENABLE_TRIGGER, 0);
    configure(SQLITE_DBCONFIG_ENABLE_VIEW, 0);
    configure(SQLITE_DBCONFIG_DQS_DML, 0);
    configure(SQLITE_DBCONFIG_DQS_DDL, 0);
    configure(SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0);
    // closing must not checkpoint by itself: only the holder of the lock does
    configure(SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1);
    ::sqlite3_limit(handle, SQLITE_LIMIT_LENGTH, kLargestValueBytes);
    ::sqlite3_limit(handle, SQLITE_LIMIT_SQL_LENGTH, 100'000);
    ::sqlite3_limit(handle, SQLITE_LIMIT_COLUMN, 100);
    ::sqlite3_limit(handle, SQLITE_LIMIT_EXPR_DEPTH, 50);
    ::sqlite3_limit(handle, SQLITE_LIMIT_ATTACHED, 1); // VACUUM INTO attaches its target
    ::sqlite3_extended_result_codes(handle, 1);
    ::sqlite3_wal_autocheckpoint(handle, 0);
    ::sqlite3_wal_hook(handle, rememberWalPages, &m_walPages);
    m_database.exec("PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0; PRAGMA foreign_keys = ON;"
                    "PRAGMA secure_delete = FAST; PRAGMA synchronous = FULL");
}

/// Whose file it is, of which version, and whether its pages hang together.
Status Connection::identify(const OpenOptions& options)
{
    const int application = m_database.execAndGet("PRAGMA application_id").getInt();
    const int tables = m_database.execAndGet("SELECT count(*) FROM sqlite_schema").getInt();
    const bool isNew = application == 0 && tables == 0;
    if (application != kApplicationId && !isNew)
        return damaged(m_path, str("is the file of another program (application id ", application, ", ", tables,
                                   " tables and indexes)."));
    if (fileBytes(m_path) <= kCheckedAtOpenBytes) MR_CHECK(quickCheck());
    const int newest = options.migrations.back().version;
    if (m_access == Access::ReadOnly) {
        if (version() < newest)
            return makeError(Code::Unsupported, str("The tracking database \"", printable(m_path), "\" has version ",
                                                    version(), "; this Millrace reads version ", newest, "."))
                .atFile(m_path)
                .advise("Open it for writing once: that brings it to the new version, after a backup.");
        return {};
    }
    if (version() > newest)
        return makeError(Code::NewerFormat, str("The tracking database \"", printable(m_path), "\" has version ",
                                                version(), "; this Millrace writes version ", newest, "."))
            .atFile(m_path)
            .advise("Use the newer Millrace; with this one it can only be read.");
    return {};
}

Status Connection::chooseJournal(const OpenOptions& options)
{
    const bool isRemote = isNetworkFileSystem(parentPath(m_path));
    if (isRemote)
        m_notice = str("The folder of \"", printable(m_path),
                       "\" is on a network file system: the tracking database "
                       "works there more slowly, and from one computer at a time.");
    const bool rollback = isRemote || options.rollbackJournal;
    m_database.execAndGet(rollback ? "PRAGMA journal_mode = DELETE" : "PRAGMA journal_mode = WAL");
    return {};
}

int Connection::version()
{
    return m_database.execAndGet("PRAGMA user_version").getInt();
}

Status Connection::migrate(const OpenOptions& options)
{
    const int from = version();
    if (from > 0 && from < options.migrations.back().version) {
        MR_TRY(const std::string backup, backUpLocked());
        m_notice += str(m_notice.empty() ? "" : " ", "The tracking database was brought from version ", from, " to ",
                        options.migrations.back().version, "; as it was it lies in \"", printable(backup), "\".");
    }
    for (const Migration& migration : options.migrations) {
        if (migration.version <= from) continue;
        try {
            m_database.exec("BEGIN IMMEDIATE");
            m_database.exec(std::string(migration.sql));
            m_database.exec(str("PRAGMA application_id = ", kApplicationId));
            m_database.exec(str("PRAGMA user_version = ", migration.version));
            m_database.exec("COMMIT");
        } catch (const std::exception& exception) {
            return asStatus(exception);
        }
    }
    return {};
}

Status Connection::asStatus(const std::exception& exception)
{
    Error error = errorFrom(exception, m_path);
    if (!::sqlite3_get_autocommit(m_database.getHandle())) m_database.tryExec("ROLLBACK");
    // after a failed fsync the kernel may show pages that the disk does not have: never retry on this connection
    if (error.code == Code::Io) m_isBroken = true;
    return error;
}

Status Connection::mayWrite() const
{
    if (m_access == Access::ReadOnly)
        return makeError(Code::Permission,
                         str("The tracking database \"", printable(m_path), "\" is open for reading."))
            .atFile(m_path);
    if (m_isBroken)
        return makeError(Code::Io, str("An earlier write to the tracking database \"", printable(m_path), "\" failed."))
            .atFile(m_path)
            .advise("Check the disk, then open Millrace again.");
    return {};
}

Result<FileLock> Connection::lock() const
{
    const auto end = std::chrono::steady_clock::now() + kLockWait;
    for (;;) {
        auto held = FileLock::tryAcquire(m_path + ".lock");
        if (held || held.error().code != Code::Busy) return held;
        if (std::chrono::steady_clock::now() >= end)
            return makeError(Code::Busy, str("Another program has been writing to the tracking database \"",
                                             printable(m_path), "\" for ", kLockWait.count(), " s."))
                .atFile(m_path)
                .advise("Close the other Millrace, or wait.");
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
}

void Connection::checkpointLocked(const char* mode)
{
    if (m_walPages < kCheckpointPages) return;
    // what a reader still needs stays in the WAL and goes with the next checkpoint
    m_database.tryExec(str("PRAGMA wal_checkpoint(", mode, ")"));
    m_walPages = 0;
}

Status Connection::checkpoint()
{
    MR_CHECK(mayWrite());
    MR_TRY(const FileLock held, lock());
    m_walPages = kCheckpointPages;
    checkpointLocked("PASSIVE");
    return {};
}

SQLite::Statement& Connection::statement(const std::string& sql)
{
    auto found = m_statements.find(sql);
    if (found == m_statements.end()) found = m_statements.try_emplace(sql, m_database, sql).first;
    found->second.clearBindings();
    return found->second;
}

Status Connection::quickCheck()
{
    return read([&]() -> Status {
        const std::string answer = m_database.execAndGet("PRAGMA quick_check(1)").getString();
        if (answer != "ok") return damaged(m_path, str("is damaged (", printable(answer), ")."));
        return {};
    });
}

Result<std::string> Connection::backUp()
{
    MR_CHECK(mayWrite());
    MR_TRY(const FileLock held, lock());
    return backUpLocked();
}

Result<std::string> Connection::backUpLocked()
{
    const std::string folder = joinPath(parentPath(m_path), "backups");
    MR_CHECK(makeDirectories(folder));
    const std::time_t now = std::time(nullptr);
    std::tm utc{};
    ::gmtime_r(&now, &utc);
    char stamp[32];
    std::strftime(stamp, sizeof stamp, "%Y%m%d-%H%M%S", &utc);
    const std::string target = str(folder, "/millrace-", stamp, "-v", version(), ".db");
    const std::string temporary = str(target, ".tmp-", ::getpid());
    // what was left by one that was killed: nobody else makes a backup while this process holds the lock
    MR_TRY(const auto names, listDirectory(folder));
    for (const std::string& name : names)
        if (name.find(".db.tmp-") != std::string::npos) MR_CHECK(removeAll(joinPath(folder, name)));
    try {
        // not through the cache of statements: VACUUM wants no statement of the connection to be under way
        SQLite::Statement copy(m_database, "VACUUM INTO ?");
        copy.bind(1, temporary);
        copy.exec();
    } catch (const std::exception& exception) {
        ::unlink(temporary.c_str());
        return errorFrom(exception, m_path);
    }
    // no connection has the copy open, so that reading it with plain calls drops nobody's locks
    {
        MR_TRY(const FileHandle file, FileHandle::open(temporary, O_RDWR));
        MR_CHECK(file.sync());
    }
    if (::rename(temporary.c_str(), target.c_str()) != 0) return errnoError("rename", temporary, errno);
    MR_CHECK(syncDirectory(folder));
    const auto backups = backupsOf(m_path);
    for (std::size_t i = kBackupsKept; i < backups.size(); ++i) MR_CHECK(removeAll(backups[i]));
    return target;
}

} // namespace millrace::storage
