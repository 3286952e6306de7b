// What the files of the document have to say, as a bar above the canvas: found work, a file that changed on disk, a
// save that failed. Nothing is ever overwritten without a word.
#pragma once

#include "ui/document/document_files.h"

#include <QObject>

namespace millrace::ui {

class NoticeBar;

class FileNotices : public QObject
{
    Q_OBJECT

public:
    FileNotices(DocumentFiles& files, NoticeBar& bar, QObject* parent = nullptr);

signals:
    /// The user wants to choose another file to save to.
    void saveAsWanted();

private:
    enum class Matter
    {
        None,
        Recovery,
        Changed,
        SaveFailed,
        Kept
    };
    void take(int button);

    DocumentFiles& m_files;
    NoticeBar& m_bar;
    Matter m_matter = Matter::None;
    std::vector<Autosave> m_found;
};

} // namespace millrace::ui
