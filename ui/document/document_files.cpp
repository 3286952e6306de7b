#include "ui/document/document_files.h"

#include "kernels/base/files.h"
#include "kernels/base/units.h"
#include "ui/document/text.h"

#include <QUuid>
#include <nlohmann/json.hpp>

namespace millrace::ui {

namespace {

constexpr int kAutosaveDelayMs = 2000;

QStringList readRecent(const std::string& path)
{
    QStringList recent;
    const auto text = readFile(path, 1 << 20);
    if (!text) return recent;
    const auto json = nlohmann::json::parse(*text, nullptr, false);
    if (!json.is_array()) return recent;
    for (const auto& each : json)
        if (each.is_string()) recent.append(toQt(each.get<std::string>()));
    return recent.mid(0, DocumentFiles::kRecentFiles);
}

Status writeRecent(const std::string& path, const QStringList& recent)
{
    nlohmann::json json = nlohmann::json::array();
    for (const QString& each : recent) json.push_back(each.toStdString());
    MR_CHECK(makeDirectories(parentPath(path)));
    return durableReplace(path, json.dump(1) + "\n");
}

} // namespace

DocumentFiles::DocumentFiles(PipelineDocument& document, const QString& home, QObject* parent)
    : QObject(parent), m_document(document), m_home(home), m_worker(new QObject),
      m_session(QUuid::createUuid().toString(QUuid::WithoutBraces).toStdString())
{
    m_worker->moveToThread(&m_thread);
    connect(&m_thread, &QThread::finished, m_worker, &QObject::deleteLater);
    m_thread.setObjectName(QStringLiteral("files"));
    m_thread.start();
    m_autosaveTimer.setSingleShot(true);
    m_autosaveTimer.setInterval(kAutosaveDelayMs);
    connect(&m_autosaveTimer, &QTimer::timeout, this, &DocumentFiles::autosave);
    connect(&m_document, &PipelineDocument::changed, this, [this] {
        // not started anew: who types without a pause is autosaved too
        if (!m_autosaveTimer.isActive()) m_autosaveTimer.start();
    });
    connect(&m_document, &PipelineDocument::titleChanged, this, [this] {
        if (!m_document.isModified()) dropAutosave();
    });
}

DocumentFiles::~DocumentFiles()
{
    // a window that is closed in order leaves its unsaved work as an autosave too, and gives up its lock last
    if (m_autosaveTimer.isActive()) autosave();
    QMetaObject::invokeMethod(m_worker, [this] {
        if (!m_sessionLock) return;
        m_sessionLock.reset();
        (void)removeAll(joinPath(folder(), m_session + ".lock"));
    });
    m_thread.quit();
    m_thread.wait();
}

// Runs `work` on the worker thread and hands what it returns to `done` here. The thread ends before this object does,
// so `this` is always alive in it; an answer that comes after is dropped with the object.
template <class Work, class Done> void DocumentFiles::inWorker(Work work, Done done)
{
    ++m_pending;
    QMetaObject::invokeMethod(m_worker, [this, work = std::move(work), done = std::move(done)]() mutable {
        auto answer = std::make_shared<decltype(work())>(work()); // shared: a functor for Qt has to be copyable
        QMetaObject::invokeMethod(this, [this, done = std::move(done), answer]() mutable {
            --m_pending;
            done(std::move(*answer));
            if (m_pending == 0) emit idle();
        });
    });
}

std::string DocumentFiles::folder() const
{
    return joinPath(m_home.toStdString(), "autosave");
}

void DocumentFiles::start()
{
    struct Found
    {
        std::vector<Autosave> autosaves;
        QStringList recent;
    };
    inWorker(
        [this] {
            if (makeDirectories(folder()))
                if (auto lock = FileLock::tryAcquire(joinPath(folder(), m_session + ".lock")))
                    m_sessionLock = std::make_unique<FileLock>(std::move(*lock));
            return Found{findAutosaves(folder(), m_session), readRecent(joinPath(m_home.toStdString(), "recent.json"))};
        },
        [this](Found found) {
            m_recent = found.recent;
            emit recentChanged();
            if (!found.autosaves.empty()) emit recoveryFound(found.autosaves);
        });
}

void DocumentFiles::newPipeline()
{
    keepWork();
    ++m_generation;
    m_diskSha256.clear();
    pipeline::Document fresh;
    fresh.name = tr("Untitled pipeline").toStdString();
    m_document.reset(std::move(fresh), {});
}

void DocumentFiles::open(const QString& path)
{
    const quint64 generation = ++m_generation;
    inWorker([path = path.toStdString()] { return loadPipelineFile(path); },
             [this, generation](Result<LoadedFile> loaded) {
                 if (generation == m_generation) takeLoaded(std::move(loaded), false);
             });
}

void DocumentFiles::openTemplate(const QString& path)
{
    const quint64 generation = ++m_generation;
    inWorker([path = path.toStdString()] { return loadPipelineFile(path); },
             [this, generation](Result<LoadedFile> loaded) {
                 if (generation == m_generation) takeLoaded(std::move(loaded), true);
             });
}

void DocumentFiles::takeLoaded(Result<LoadedFile> loaded, bool asTemplate)
{
    if (!loaded) {
        emit openFailed(loaded.error());
        return;
    }
    keepWork();
    const QString path = asTemplate ? QString() : toQt(loaded->path);
    m_diskSha256 = asTemplate ? std::string() : loaded->sha256;
    m_document.reset(std::move(loaded->pipeline), path);
    if (!asTemplate) remember(path);
    emit opened(path);
}

void DocumentFiles::save()
{
    if (m_document.isReadOnly()) {
        emit saveFailed(makeError(Code::Unsupported, "This file was written by a newer Millrace and is open read-only.")
                            .advise("Nothing in it was changed, so nothing needs saving."));
        return;
    }
    if (m_document.filePath().isEmpty()) {
        emit saveAsWanted();
        return;
    }
    write(m_document.filePath(), m_diskSha256, false);
}

void DocumentFiles::saveAs(const QString& path)
{
    // the file dialog has asked before it names a file that exists
    write(path, {}, true);
}

void DocumentFiles::overwrite()
{
    write(m_document.filePath(), {}, true);
}

void DocumentFiles::reload()
{
    open(m_document.filePath());
}

// What is not saved and is about to make way stays as an autosave that belongs to no open document.
void DocumentFiles::keepWork()
{
    if (!m_document.isModified() || m_document.isReadOnly()) return;
    Autosave work = currentWork();
    autosave();
    inWorker([this] { return std::exchange(m_autosaveEntry, {}); },
             [this, work = std::move(work)](std::string entry) mutable {
                 work.entry = std::move(entry);
                 if (!work.entry.empty()) emit workKept(work);
             });
}

Autosave DocumentFiles::currentWork() const
{
    return {m_session,
            m_document.filePath().toStdString(),
            m_diskSha256,
            m_document.pipeline().name,
            m_document.text(),
            unixMilliseconds(),
            {}};
}

void DocumentFiles::write(const QString& path, const std::string& expected, bool force)
{
    const int index = m_document.undoStack()->index();
    const quint64 generation = m_generation;
    inWorker([path = path.toStdString(), text = m_document.text(), expected,
              force] { return savePipelineFile(path, text, expected, force); },
             [this, path, index, generation](Result<std::string> hash) {
                 if (generation != m_generation) return;
                 if (!hash && hash.error().code == Code::Busy) {
                     emit changedOnDisk(path);
                 } else if (!hash) {
                     emit saveFailed(hash.error());
                 } else {
                     m_diskSha256 = *hash;
                     m_document.setFilePath(path);
                     if (m_document.undoStack()->index() == index) m_document.setSaved();
                     remember(path);
                     emit saved(path);
                 }
             });
}

void DocumentFiles::autosave()
{
    m_autosaveTimer.stop();
    if (!m_document.isModified() || m_document.isReadOnly()) return;
    inWorker(
        [this, now = currentWork()]() -> Status {
            MR_TRY(m_autosaveEntry, writeAutosave(folder(), now, m_autosaveEntry));
            return {};
        },
        [this](Status status) {
            if (!status) emit saveFailed(std::move(status).error().advise("Save the pipeline to a file of your own."));
        });
}

void DocumentFiles::dropAutosave()
{
    m_autosaveTimer.stop();
    inWorker(
        [this]() -> Status {
            const std::string entry = std::exchange(m_autosaveEntry, {});
            return entry.empty() ? Status() : removeAll(entry);
        },
        [](Status) {});
}

void DocumentFiles::recover(const Autosave& autosave)
{
    auto parsed = pipeline::parseDocument(autosave.text, "autosave");
    if (!parsed) {
        emit openFailed(parsed.error());
        return;
    }
    keepWork();
    ++m_generation;
    m_document.reset(std::move(*parsed), toQt(autosave.path));
    m_diskSha256 = autosave.fileSha256;
    m_document.setRecovered();
    // ours from now on: written anew under this session, then the dead one's is removed
    inWorker([this, entry = autosave.entry] { return std::exchange(m_autosaveEntry, entry); }, [](std::string) {});
    this->autosave();
    emit opened(m_document.filePath());
}

void DocumentFiles::discard(const Autosave& autosave)
{
    inWorker([entry = autosave.entry] { return removeAll(entry); }, [](Status) {});
}

void DocumentFiles::remember(const QString& path)
{
    m_recent.removeAll(path);
    m_recent.prepend(path);
    m_recent = m_recent.mid(0, kRecentFiles);
    emit recentChanged();
    inWorker(
        [list = m_recent, file = joinPath(m_home.toStdString(), "recent.json")] { return writeRecent(file, list); },
        [](Status) {});
}

} // namespace millrace::ui
