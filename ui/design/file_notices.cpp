#include "ui/design/file_notices.h"

#include "ui/document/text.h"
#include "ui/widgets/notice_bar.h"

#include <QFileInfo>

namespace millrace::ui {

FileNotices::FileNotices(DocumentFiles& files, NoticeBar& bar, QObject* parent)
    : QObject(parent), m_files(files), m_bar(bar)
{
    connect(&files, &DocumentFiles::recoveryFound, this, [this](const std::vector<Autosave>& found) {
        if (found.empty()) return;
        m_found = found;
        m_matter = Matter::Recovery;
        m_bar.show(Sign::Warning,
                   tr("\"%1\" was open with unsaved changes when Millrace ended.").arg(shown(found.front().name)),
                   {tr("Restore"), tr("Discard")});
    });
    connect(&files, &DocumentFiles::workKept, this, [this](const Autosave& kept) {
        m_found = {kept};
        m_matter = Matter::Kept;
        m_bar.show(Sign::Warning, tr("The unsaved changes of \"%1\" were kept.").arg(shown(kept.name)),
                   {tr("Bring Back"), tr("Discard")});
    });
    connect(&files, &DocumentFiles::changedOnDisk, this, [this](const QString& path) {
        m_matter = Matter::Changed;
        m_bar.show(Sign::Warning,
                   tr("%1 was changed by somebody else since it was opened. Nothing was written.")
                       .arg(QFileInfo(path).fileName()),
                   {tr("Overwrite"), tr("Save As…"), tr("Reload")});
    });
    connect(&files, &DocumentFiles::saveFailed, this, [this](const Error& error) {
        m_matter = Matter::SaveFailed;
        m_bar.show(Sign::Failed, tr("Not saved. %1 Your work is still here.").arg(words(error)),
                   {tr("Try Again"), tr("Save As…")});
    });
    connect(&files, &DocumentFiles::openFailed, this, [this](const Error& error) {
        m_matter = Matter::None;
        m_bar.show(Sign::Failed, tr("Not opened. %1").arg(shown(error.toString())));
    });
    connect(&files, &DocumentFiles::saved, this, [this] {
        if (m_matter == Matter::SaveFailed || m_matter == Matter::Changed) m_bar.hide();
    });
    connect(&bar, &NoticeBar::buttonClicked, this, &FileNotices::take);
}

void FileNotices::take(int button)
{
    const Matter matter = std::exchange(m_matter, Matter::None);
    switch (matter) {
    case Matter::Recovery:
    case Matter::Kept:
        if (button == 0) {
            m_files.recover(m_found.front());
        } else {
            for (const Autosave& autosave : m_found) m_files.discard(autosave);
        }
        m_found.clear();
        return;
    case Matter::Changed:
        if (button == 0) m_files.overwrite();
        if (button == 1) emit saveAsWanted();
        if (button == 2) m_files.reload();
        return;
    case Matter::SaveFailed:
        if (button == 0) m_files.save();
        if (button == 1) emit saveAsWanted();
        return;
    case Matter::None:
        return;
    }
}

} // namespace millrace::ui
