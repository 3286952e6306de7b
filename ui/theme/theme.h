// The look: colours by role in light and dark, type, measures and icons. Widgets ask for a role, never for a colour.
#pragma once

#include <QColor>
#include <QFont>
#include <QIcon>
#include <QObject>
#include <QString>

namespace millrace::ui {

enum class Role
{
    Window,
    Surface,
    Raised,
    Line,
    Hairline,
    Text,
    Muted,
    Faint,
    Accent,
    AccentSoft,
    OnAccent,
    Canvas,
    Dots,
    Good,
    Caution,
    Bad,
    Field, ///< the ground of something to type in
};

enum class TextStyle
{
    Body,    ///< 13 px
    Strong,  ///< 13 px semibold: names
    Caption, ///< 11 px
    CaptionStrong,
    Title,   ///< 15 px semibold: a page's title
    Heading, ///< 20 px semibold: an empty page's first line
    Number,  ///< 13 px, tabular figures where Qt has them
    Code,    ///< 12 px monospaced
};

/// Multiples of 4; in device-independent pixels.
namespace measure {
constexpr int kRail = 64, kHeader = 48, kStrip = 28;
constexpr int kPaletteWidth = 200, kPanelWidth = 288;
constexpr int kRow = 32, kTallRow = 38, kControl = 30;
constexpr int kControlRadius = 7, kCardRadius = 10;
constexpr int kMargin = 16, kGap = 8;
} // namespace measure

/// The application's look. It belongs to the QApplication, as its style and its palette do, and is found by `theme()`.
class Theme : public QObject
{
    Q_OBJECT

public:
    enum class Mode
    {
        System,
        Light,
        Dark
    };

    explicit Theme(QObject* parent = nullptr);

    /// Gives the QApplication this palette, font and style sheet; from then on it follows the system.
    void apply();

    Mode mode() const { return m_mode; }
    void setMode(Mode mode);
    bool isDark() const { return m_dark; }

    QColor color(Role role) const;
    /// The colour of what flows through a port: "rows", "tokens", "model", "metrics", "version"; muted for others.
    QColor port(QStringView type) const;
    /// The colour of the n-th run on a page; in dark mode lightened to the same contrast.
    QColor run(int index) const;
    static constexpr int kRunColors = 8;

    QFont font(TextStyle style) const;
    /// How long a movement takes; 0 where the system asks for none.
    int motionMs() const;

signals:
    /// Colours changed: repaint, and take new ones where a colour was stored.
    void changed();

protected:
    bool eventFilter(QObject* watched, QEvent* event) override;

private:
    void update();
    bool systemIsDark() const;
    void install();

    Mode m_mode = Mode::System;
    bool m_dark = false;
    bool m_applied = false;
    bool m_installing = false;
};

/// The theme of the running QApplication; made with the first call.
Theme& theme();

/// The icon resources/icons/<name>.svg in the colour of the role; follows the theme, faint where disabled.
QIcon icon(const QString& name, Role role = Role::Muted);

} // namespace millrace::ui
