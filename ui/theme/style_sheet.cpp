#include "ui/theme/style_sheet.h"

#include "ui/theme/theme.h"

#include <QFile>
#include <array>
#include <utility>

namespace millrace::ui {

namespace {
// longer names first: "@accent" must not eat the start of "@accentsoft"
constexpr std::array<std::pair<const char16_t*, Role>, 15> kNames{{
    {u"@accentsoft", Role::AccentSoft},
    {u"@onaccent", Role::OnAccent},
    {u"@hairline", Role::Hairline},
    {u"@surface", Role::Surface},
    {u"@caution", Role::Caution},
    {u"@window", Role::Window},
    {u"@raised", Role::Raised},
    {u"@accent", Role::Accent},
    {u"@muted", Role::Muted},
    {u"@faint", Role::Faint},
    {u"@field", Role::Field},
    {u"@line", Role::Line},
    {u"@text", Role::Text},
    {u"@good", Role::Good},
    {u"@bad", Role::Bad},
}};
} // namespace

QString styleSheet(const Theme& theme)
{
    QFile file(QStringLiteral(":/theme/style.qss"));
    if (!file.open(QIODevice::ReadOnly)) return {};
    QString sheet = QString::fromUtf8(file.readAll());
    for (const auto& [name, role] : kNames) sheet.replace(QStringView(name).toString(), theme.color(role).name());
    sheet.replace(QStringLiteral("@scheme"), theme.isDark() ? QStringLiteral("dark") : QStringLiteral("light"));
    sheet.replace(QStringLiteral("@bottom"), theme.isDark() ? QStringLiteral("#5a6472") : QStringLiteral("#c3c9d3"));
    return sheet;
}

} // namespace millrace::ui
