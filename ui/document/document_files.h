// Opens, saves and autosaves the document. Files are touched on a worker thread only; answers come as signals.
#pragma once

#include "ui/document/file_worker.h"
#include "ui/document/pipeline_document.h"

#include <QObject>
#include <QString>
#include <QStringList>
#include <QThread>
#include <QTimer>
#include <functional>
#include <memory>
#include <optional>

namespace millrace {
class FileLock;
}

namespace millrace::ui {

class DocumentFiles : public QObject
{
    Q_OBJECT

public:
    /// `home` is $MILLRACE_HOME: autosaves and the list of recent files live there. The document must outlive this.
    DocumentFiles(PipelineDocument& document, const QString& home, QObject* parent = nullptr);
    ~DocumentFiles() override;

    /// Looks for autosaves of windows that died; answers with recoveryFound where there are some.
    void start();

    void newPipeline();
    void open(const QString& path);
    /// Opens a copy of a file that is not the user's own, such as a template: unsaved, without a path.
    void openTemplate(const QString& path);
    /// Saves to the file it came from; without one, or where it is not ours to write, asks by saveAsWanted.
    void save();
    void saveAs(const QString& path);
    /// After changedOnDisk: what is here goes over what is there.
    void overwrite();
    /// After changedOnDisk: what is there comes here. What was here is kept, see workKept.
    void reload();

    /// Puts what the dead window had into this one; it then counts as not saved.
    void recover(const Autosave& autosave);
    void discard(const Autosave& autosave);

    QStringList recentFiles() const { return m_recent; }
    static constexpr int kRecentFiles = 10;
    /// How long after a change it is autosaved.
    void setAutosaveDelay(int milliseconds) { m_autosaveTimer.setInterval(milliseconds); }
    /// Whether the worker still has something to do.
    bool isBusy() const { return m_pending > 0; }

signals:
    void opened(const QString& path);
    void openFailed(const millrace::Error& error);
    void saved(const QString& path);
    void saveFailed(const millrace::Error& error);
    void saveAsWanted();
    /// The file holds something else than when it was opened: overwrite, saveAs or reload.
    void changedOnDisk(const QString& path);
    void recoveryFound(const std::vector<millrace::ui::Autosave>& autosaves);
    /// Work that was not saved made way for another document; `recover` brings it back.
    void workKept(const millrace::ui::Autosave& autosave);
    void recentChanged();
    void idle();

private:
    template <class Work, class Done> void inWorker(Work work, Done done);
    void write(const QString& path, const std::string& expected, bool force);
    void takeLoaded(Result<LoadedFile> loaded, bool asTemplate);
    void autosave();
    void keepWork();
    Autosave currentWork() const;
    void dropAutosave();
    void remember(const QString& path);
    std::string folder() const;

    PipelineDocument& m_document;
    QString m_home;
    QThread m_thread;
    QObject* m_worker;                       ///< lives in m_thread
    std::string m_session;                   ///< of this window
    std::unique_ptr<FileLock> m_sessionLock; ///< taken and released by the worker
    std::string m_diskSha256;                ///< of the file when it was opened or saved
    std::string m_autosaveEntry;             ///< the worker's
    QTimer m_autosaveTimer;
    QStringList m_recent;
    int m_pending = 0;
    quint64 m_generation = 0; ///< grows with every open: a late answer for another document is dropped
};

} // namespace millrace::ui

Q_DECLARE_METATYPE(millrace::ui::Autosave)
