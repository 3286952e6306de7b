#include "ui/widgets/empty_state.h"

#include "ui/widgets/button.h"
#include "ui/widgets/label.h"

#include <QPainter>
#include <QVBoxLayout>
#include <algorithm>

namespace millrace::ui {

namespace {
class Picture : public QWidget
{
public:
    explicit Picture(const QString& name) : m_icon(icon(name, Role::Faint))
    {
        setFixedSize(40, 40);
        setAccessibleName(QString());
    }

protected:
    void paintEvent(QPaintEvent*) override
    {
        QPainter painter(this);
        m_icon.paint(&painter, rect());
    }

private:
    QIcon m_icon;
};
} // namespace

EmptyState::EmptyState(const QString& iconName, const QString& title, const QString& text, const QString& buttonText,
                       QWidget* parent)
    : QWidget(parent), m_title(new Label(title, TextStyle::Title)),
      m_text(new Label(text, TextStyle::Body, Role::Muted))
{
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(24, 24, 24, 24);
    layout->setSpacing(8);
    layout->addStretch(2);
    layout->addWidget(new Picture(iconName), 0, Qt::AlignHCenter);
    layout->addSpacing(4);
    m_title->setAlignment(Qt::AlignCenter);
    m_title->setWordWrap(true);
    m_text->setAlignment(Qt::AlignCenter);
    m_text->setWordWrap(true);
    m_text->setFixedWidth(400);
    layout->addWidget(m_title);
    layout->addWidget(m_text, 0, Qt::AlignHCenter);
    setTexts(title, text);
    if (!buttonText.isEmpty()) {
        m_button = makeButton(buttonText, ButtonKind::Primary);
        connect(m_button, &QPushButton::clicked, this, &EmptyState::buttonClicked);
        layout->addSpacing(8);
        layout->addWidget(m_button, 0, Qt::AlignHCenter);
    }
    layout->addStretch(3);
}

void EmptyState::setTexts(const QString& title, const QString& text)
{
    m_title->setText(title);
    m_text->setText(text);
    // the layout would give a label that is narrower than its cell the height that its text has at the cell's width
    m_text->setMinimumHeight(std::max(0, m_text->heightForWidth(m_text->width()))); // -1 for no text
}

} // namespace millrace::ui
