// millrace-desktop: the window.
#include "app/wiring/window.h"

#include <QApplication>
#include <cstdio>
#include <exception>

int main(int argc, char** argv)
try {
    for (int i = 1; i < argc; ++i)
        if (qstrcmp(argv[i], "--version") == 0) {
            std::puts("millrace-desktop " MILLRACE_VERSION);
            return 0;
        }
    QApplication application(argc, argv);
    QApplication::setApplicationName(QStringLiteral("Millrace"));
    QApplication::setApplicationVersion(QStringLiteral(MILLRACE_VERSION));
    QApplication::setDesktopFileName(QStringLiteral("millrace"));

    const auto window = millrace::app::Window::create(QApplication::arguments().value(1));
    if (!window) {
        std::fprintf(stderr, "millrace-desktop: %s\n", window.error().toString().c_str());
        return 1;
    }
    (*window)->show();
    return QApplication::exec();
} catch (const std::exception& exception) {
    std::fprintf(stderr, "millrace-desktop: %s\n", exception.what());
    return 1;
}
