#include "ui/widgets/notice_bar.h"

#include "ui/widgets/button.h"
#include "ui/widgets/label.h"

#include <QHBoxLayout>

namespace millrace::ui {

NoticeBar::NoticeBar(QWidget* parent)
    : Surface(Role::AccentSoft, Qt::BottomEdge, parent), m_layout(new QHBoxLayout(this)), m_sign(new SignLabel),
      m_text(new Label), m_close(makeButton({}, ButtonKind::Flat, QStringLiteral("close")))
{
    m_layout->setContentsMargins(measure::kMargin, 5, 8, 6);
    m_layout->setSpacing(8);
    m_layout->addWidget(m_sign);
    m_layout->addWidget(m_text, 1);
    m_layout->addWidget(m_close);
    m_text->setWordWrap(true);
    m_close->setProperty("small", true);
    m_close->setToolTip(tr("Close"));
    m_close->setAccessibleName(tr("Close this notice"));
    connect(m_close, &QPushButton::clicked, this, [this] {
        hide();
        emit closed();
    });
    hide();
}

void NoticeBar::show(Sign sign, const QString& text, const QStringList& buttons)
{
    for (QPushButton* button : m_buttons) button->deleteLater();
    m_buttons.clear();
    m_sign->setSign(sign);
    m_text->setText(text);
    setAccessibleName(text);
    for (int i = 0; i < buttons.size(); ++i) {
        QPushButton* button = makeButton(buttons[i]);
        connect(button, &QPushButton::clicked, this, [this, i] {
            hide();
            emit buttonClicked(i);
        });
        m_layout->insertWidget(m_layout->count() - 1, button);
        m_buttons.append(button);
    }
    QWidget::show();
}

QString NoticeBar::text() const
{
    return isHidden() ? QString() : m_text->text();
}

QPushButton* NoticeBar::button(int index) const
{
    return m_buttons.value(index);
}

} // namespace millrace::ui
