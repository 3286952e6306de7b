// The style sheet that makes Qt's standard widgets look like the rest of the window.
#pragma once

#include <QString>

namespace millrace::ui {

class Theme;

/// The sheet resource with every @role replaced by the theme's colour.
QString styleSheet(const Theme& theme);

} // namespace millrace::ui
