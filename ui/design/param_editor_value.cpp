#include "ui/design/param_editor_value.h"

#include "kernels/base/units.h"
#include "ui/document/text.h"

#include <QCoreApplication>
#include <QDir>
#include <cmath>

namespace millrace::ui {

using pipeline::Json;
using pipeline::ParamKind;
using pipeline::ParamSpec;

namespace {

struct Text
{
    Q_DECLARE_TR_FUNCTIONS(millrace::ui::ParamEditor)
};

constexpr qsizetype kLongestRange = 20;

// "1e-8" for what C writes as "1e-08"
QString numberText(double value)
{
    std::string text = str(value);
    if (const auto exponent = text.find('e'); exponent != std::string::npos)
        while (exponent + 2 < text.size() - 1 && text[exponent + 2] == '0') text.erase(exponent + 2, 1);
    return toQt(text);
}

QString boundText(double value)
{
    const bool whole = std::trunc(value) == value && std::abs(value) < 1e16;
    QString text = whole ? toQt(formatCount(static_cast<std::int64_t>(value))) : numberText(value);
    if (text.startsWith(QLatin1Char('-'))) text[0] = QChar(0x2212);
    return text;
}

// What was typed as a number; as a text where it is none, so that the check can show it.
Json numberValue(const ParamSpec& spec, const std::string& text)
{
    if (const auto integer = parseInteger(text)) return *integer;
    const auto number = parseDouble(text);
    if (!number || !std::isfinite(*number)) return text;
    const bool whole = spec.kind != ParamKind::Number && std::trunc(*number) == *number && std::abs(*number) < 9e15;
    if (whole) return static_cast<long long>(*number);
    return *number;
}

Json listValue(const ParamSpec& spec, const QString& text)
{
    QString spaced = text;
    spaced.replace(QLatin1Char(','), QLatin1Char(' '));
    Json list = Json::array();
    for (const QString& piece : spaced.simplified().split(QLatin1Char(' '), Qt::SkipEmptyParts)) {
        Json member = numberValue(spec, piece.toStdString());
        if (!member.is_number()) return text.toStdString();
        list.push_back(std::move(member));
    }
    return list;
}

} // namespace

QString fieldText(const Json& value)
{
    if (value.is_null()) return {};
    if (value.is_string()) return toQt(value.get<std::string>());
    if (value.is_number_float()) return numberText(value.get<double>());
    if (value.is_array()) {
        QStringList members;
        for (const Json& member : value) members.append(fieldText(member));
        return members.join(QLatin1String(", "));
    }
    return toQt(value.dump(-1, ' ', false, Json::error_handler_t::replace));
}

Result<Json> fieldValue(const ParamSpec& spec, const QString& text)
{
    const QString bare = text.trimmed();
    Json value;
    switch (spec.kind) {
    case ParamKind::Integer:
    case ParamKind::Number:
        value = numberValue(spec, bare.toStdString());
        break;
    case ParamKind::IntegerList:
        value = listValue(spec, bare);
        break;
    case ParamKind::Path:
        value = bare.toStdString();
        break;
    default:
        value = text.toStdString();
    }
    MR_CHECK(pipeline::checkParam(spec, value));
    return value;
}

QString rangeText(const ParamSpec& spec)
{
    QString text;
    if (spec.minimum && spec.maximum)
        text = QStringLiteral("%1 – %2").arg(boundText(*spec.minimum), boundText(*spec.maximum));
    else if (spec.minimum)
        text = Text::tr("at least %1").arg(boundText(*spec.minimum));
    else if (spec.maximum)
        text = Text::tr("at most %1").arg(boundText(*spec.maximum));
    return text.size() <= kLongestRange ? text : QString();
}

QString paramToolTip(const ParamSpec& spec)
{
    QStringList facts;
    if (spec.minimum && spec.maximum)
        facts.append(Text::tr("From %1 to %2").arg(boundText(*spec.minimum), boundText(*spec.maximum)));
    if (!spec.unit.empty()) facts.append(Text::tr("in %1").arg(toQt(spec.unit)));
    const QString usual = spec.kind == ParamKind::Layers ? QString() : fieldText(spec.defaultValue);
    if (!usual.isEmpty()) facts.append(Text::tr("default %1").arg(usual));
    QString text =
        QStringLiteral("<p><b>%1</b> &nbsp;%2</p><p>%3</p>")
            .arg(toQt(spec.title).toHtmlEscaped(), toQt(spec.id).toHtmlEscaped(), toQt(spec.help).toHtmlEscaped());
    if (!facts.isEmpty()) text += QStringLiteral("<p>%1</p>").arg(facts.join(QLatin1String(", ")).toHtmlEscaped());
    return text;
}

QString relativePath(const QString& path, const QString& folder)
{
    if (folder.isEmpty()) return QDir::fromNativeSeparators(path);
    const QString relative = QDir(folder).relativeFilePath(path);
    const bool below =
        QDir::isRelativePath(relative) && relative != QLatin1String("..") && !relative.startsWith(QLatin1String("../"));
    return QDir::fromNativeSeparators(below ? relative : path);
}

} // namespace millrace::ui
