// The small pieces that every page of the property panel is made of: facts, problems, headings.
#pragma once

#include "ui/document/pipeline_document.h"
#include "ui/theme/theme.h"

#include <QString>
#include <QWidget>
#include <utility>
#include <vector>

class QVBoxLayout;

namespace millrace::ui {

/// A page of the panel: shows one thing and follows it.
class PropertyPage : public QWidget
{
    Q_OBJECT

public:
    using QWidget::QWidget;
    /// The document was changed or checked: shows what it says now; never takes the focus or what is being typed.
    virtual void refresh() = 0;
    /// A node was renamed.
    virtual void follow(const std::string& before, const std::string& after);
    virtual bool focusParameter(const std::string& parameter);
};

/// Rows of a label and a value, or of a sign and a text, that are made anew only when they differ. Of many the first 30
/// are shown and how many more there are: thousands of labels would take the window's time.
class NoteList : public QWidget
{
    Q_OBJECT

public:
    explicit NoteList(QWidget* parent = nullptr);

    /// "Digits    1,797 rows · 10 classes"
    void showFacts(const std::vector<std::pair<QString, QString>>& facts, Role value = Role::Text);
    /// Each with its sign; `where` of a line stands before its text. Hidden where there is none.
    void showProblems(const std::vector<std::pair<QString, ProblemLine>>& problems);
    int count() const { return m_count; }

private:
    void clear();
    void showRest();

    QVBoxLayout* m_layout;
    int m_count = 0;
    std::vector<std::pair<QString, QString>> m_facts;
    std::vector<std::pair<QString, ProblemLine>> m_problems;
};

/// A hairline over the panel's width with a heading below.
QWidget* makeSection(const QString& heading);

/// The margins and gaps of every page.
QVBoxLayout* makePageLayout(QWidget* page);

} // namespace millrace::ui
