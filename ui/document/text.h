// Between the engine's UTF-8 and the window's QString.
#pragma once

#include "kernels/base/result.h"
#include "kernels/base/text.h"

#include <QString>
#include <string>
#include <string_view>

namespace millrace::ui {

inline QString toQt(std::string_view text)
{
    return QString::fromUtf8(text.data(), static_cast<qsizetype>(text.size()));
}

/// For text that came from a file or another process: control and direction characters become visible.
inline QString shown(std::string_view text)
{
    return toQt(printable(text));
}

/// What was wrong and what to do, without the place: for where the place is already on screen.
inline QString words(const Error& error)
{
    return error.advice.empty() ? shown(error.message) : shown(error.message) + QLatin1Char(' ') + shown(error.advice);
}

/// A node's id as a title: "csv_table" is "Csv table", "fit" is "Fit".
inline QString titleOf(std::string_view id)
{
    QString title = shown(id);
    title.replace(QLatin1Char('_'), QLatin1Char(' '));
    if (!title.isEmpty()) title[0] = title[0].toUpper();
    return title;
}

} // namespace millrace::ui
