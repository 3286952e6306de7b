#include "ui/theme/theme.h"

#include "ui/theme/style_sheet.h"

#include <QApplication>
#include <QEvent>
#include <QFontDatabase>
#include <QPalette>
#include <QPointer>
#include <QScopedValueRollback>
#include <QStyle>
#include <QStyleFactory>
#include <QStyleHints>
#include <array>

namespace millrace::ui {

namespace {

struct Pair
{
    QRgb light, dark;
};

// in the order of Role
constexpr std::array<Pair, 17> kColors{{
    {0xFFF5F6F8, 0xFF14171C}, // Window
    {0xFFFFFFFF, 0xFF1B1F26}, // Surface
    {0xFFFFFFFF, 0xFF222731}, // Raised
    {0xFFE2E5EA, 0xFF2C323D}, // Line
    {0xFFEDEFF2, 0xFF252B35}, // Hairline
    {0xFF1A1F29, 0xFFE6E9EF}, // Text
    {0xFF667085, 0xFF9AA4B2}, // Muted
    {0xFF98A1B0, 0xFF6B7583}, // Faint
    {0xFF0B7285, 0xFF3FB6C6}, // Accent
    {0xFFE3F2F5, 0xFF173238}, // AccentSoft
    {0xFFFFFFFF, 0xFF06252A}, // OnAccent
    {0xFFFAFBFC, 0xFF16191F}, // Canvas
    {0xFFE1E5EA, 0xFF252A33}, // Dots
    {0xFF2B8A3E, 0xFF69C779}, // Good
    {0xFFB36B00, 0xFFE3A64A}, // Caution
    {0xFFC92A2A, 0xFFF27878}, // Bad
    {0xFFF4F5F7, 0xFF14171C}, // Field
}};

struct PortColor
{
    const char16_t* type;
    Pair color;
};

// Okabe and Ito's colours, which the colour-blind tell apart; a little lighter on dark
constexpr std::array<PortColor, 5> kPorts{{
    {u"rows", {0xFFE69F00, 0xFFF0B83A}},
    {u"tokens", {0xFF56B4E9, 0xFF7CC6F0}},
    {u"model", {0xFF0072B2, 0xFF4BA3DB}},
    {u"metrics", {0xFF009E73, 0xFF2FC49A}},
    {u"version", {0xFFCC79A7, 0xFFDB9CBF}},
}};

constexpr std::array<Pair, Theme::kRunColors> kRuns{{
    {0xFF0B7285, 0xFF3FB6C6}, // teal
    {0xFFD9480F, 0xFFF08A5D}, // orange
    {0xFF7048E8, 0xFFA38BF5}, // violet
    {0xFF2B8A3E, 0xFF69C779}, // green
    {0xFFC2255C, 0xFFF075A0}, // pink
    {0xFF1864AB, 0xFF6CB0F0}, // blue
    {0xFF8A6100, 0xFFD6AC4E}, // ochre
    {0xFF5C677A, 0xFFA9B4C4}, // slate
}};

} // namespace

Theme::Theme(QObject* parent) : QObject(parent)
{
    const QString forced = qEnvironmentVariable("MILLRACE_THEME");
    if (forced == QLatin1String("dark")) m_mode = Mode::Dark;
    if (forced == QLatin1String("light")) m_mode = Mode::Light;
    m_dark = m_mode == Mode::Dark || (m_mode == Mode::System && systemIsDark());
}

void Theme::apply()
{
    m_applied = true;
    QApplication::setStyle(QStyleFactory::create(QStringLiteral("Fusion")));
    install();
    qApp->installEventFilter(this);
#if QT_VERSION >= QT_VERSION_CHECK(6, 5, 0)
    connect(QGuiApplication::styleHints(), &QStyleHints::colorSchemeChanged, this, [this] { update(); });
#endif
}

void Theme::setMode(Mode mode)
{
    m_mode = mode;
    update();
}

QColor Theme::color(Role role) const
{
    const Pair& pair = kColors[static_cast<std::size_t>(role)];
    return QColor::fromRgb(m_dark ? pair.dark : pair.light);
}

QColor Theme::port(QStringView type) const
{
    for (const PortColor& port : kPorts)
        if (type == QStringView(port.type)) return QColor::fromRgb(m_dark ? port.color.dark : port.color.light);
    return color(Role::Muted);
}

QColor Theme::run(int index) const
{
    const Pair& pair = kRuns[static_cast<std::size_t>(index) % kRuns.size()];
    return QColor::fromRgb(m_dark ? pair.dark : pair.light);
}

QFont Theme::font(TextStyle style) const
{
    if (style == TextStyle::Code) {
        QFont code = QFontDatabase::systemFont(QFontDatabase::FixedFont);
        code.setPixelSize(12);
        return code;
    }
    // set only where it is installed: else the system's own font stays
    static const bool hasInter = QFontDatabase::families().contains(QLatin1String("Inter"));
    QFont font = hasInter ? QFont(QStringLiteral("Inter")) : QFontDatabase::systemFont(QFontDatabase::GeneralFont);
    const bool small = style == TextStyle::Caption || style == TextStyle::CaptionStrong;
    font.setPixelSize(style == TextStyle::Heading ? 20 : style == TextStyle::Title ? 15 : small ? 11 : 13);
    const bool strong = style == TextStyle::Strong || style == TextStyle::CaptionStrong || style == TextStyle::Title ||
                        style == TextStyle::Heading;
    font.setWeight(strong ? QFont::DemiBold : QFont::Normal);
    font.setHintingPreference(QFont::PreferNoHinting);
#if QT_VERSION >= QT_VERSION_CHECK(6, 7, 0)
    if (style == TextStyle::Number) font.setFeature("tnum", 1);
#endif
    return font;
}

int Theme::motionMs() const
{
    const int system = QApplication::style()->styleHint(QStyle::SH_Widget_Animation_Duration);
    return system <= 0 ? 0 : 150;
}

bool Theme::eventFilter(QObject* watched, QEvent* event)
{
    if (event->type() == QEvent::ThemeChange && !m_installing && m_mode == Mode::System) update();
    return QObject::eventFilter(watched, event);
}

void Theme::update()
{
    const bool dark = m_mode == Mode::Dark || (m_mode == Mode::System && systemIsDark());
    if (dark == m_dark) return;
    m_dark = dark;
    if (m_applied) install();
    emit changed();
}

bool Theme::systemIsDark() const
{
#if QT_VERSION >= QT_VERSION_CHECK(6, 5, 0)
    return QGuiApplication::styleHints()->colorScheme() == Qt::ColorScheme::Dark;
#else
    // before Qt 6.5 nobody says so, but the system's own palette shows it; ours has to make way for a moment
    const QPalette ours = QApplication::palette();
    if (m_applied) QApplication::setPalette(QPalette());
    const bool dark = QApplication::palette().color(QPalette::Window).lightness() < 128;
    if (m_applied) QApplication::setPalette(ours);
    return dark;
#endif
}

void Theme::install()
{
    const QScopedValueRollback<bool> guard(m_installing, true);
    QPalette palette;
    const auto set = [&](QPalette::ColorRole target, Role role) { palette.setColor(target, color(role)); };
    set(QPalette::Window, Role::Surface);
    set(QPalette::WindowText, Role::Text);
    set(QPalette::Base, Role::Surface);
    set(QPalette::AlternateBase, Role::Window);
    set(QPalette::Text, Role::Text);
    set(QPalette::PlaceholderText, Role::Faint);
    set(QPalette::Button, Role::Raised);
    set(QPalette::ButtonText, Role::Text);
    set(QPalette::BrightText, Role::Bad);
    set(QPalette::Highlight, Role::Accent);
    set(QPalette::HighlightedText, Role::OnAccent);
    set(QPalette::ToolTipBase, Role::Raised);
    set(QPalette::ToolTipText, Role::Text);
    set(QPalette::Link, Role::Accent);
    set(QPalette::Mid, Role::Line);
    set(QPalette::Dark, Role::Line);
    set(QPalette::Light, Role::Hairline);
    for (const QPalette::ColorRole role : {QPalette::WindowText, QPalette::Text, QPalette::ButtonText})
        palette.setColor(QPalette::Disabled, role, color(Role::Faint));
    QApplication::setPalette(palette);
    QApplication::setFont(font(TextStyle::Body));
    qApp->setStyleSheet(styleSheet(*this));
}

Theme& theme()
{
    static QPointer<Theme> current; // dies with its QApplication; a test may make a second one
    if (!current) current = new Theme(qApp);
    return *current;
}

} // namespace millrace::ui
