#include "app/wiring/window.h"

#include "engine/pipeline/catalogue.h"
#include "engine/protocol/resources.h"
#include "kernels/base/files.h"
#include "ui/theme/theme.h"
#include "ui/window/main_window.h"

#include <QFile>
#include <cstdio>
#include <unistd.h>

namespace millrace::app {

// Members are built from top to bottom and taken down from bottom to top.
struct Window::Parts
{
    explicit Parts(ui::TrackingOptions options)
        : document(catalogue, &answers), files(document, QString::fromStdString(options.home.path)),
          tracking(std::move(options))
    {
    }
    pipeline::Catalogue catalogue = pipeline::Catalogue::create();
    ui::RunnerAnswers answers;
    ui::PipelineDocument document;
    ui::DocumentFiles files;
    ui::Tracking tracking;
    std::unique_ptr<ui::MainWindow> window;
};

Window::Window() = default;
Window::~Window() = default;

namespace {

// Milliseconds since this process was started, as the kernel counts them.
double millisecondsSinceStart()
{
    QFile stat(QStringLiteral("/proc/self/stat")), uptime(QStringLiteral("/proc/uptime"));
    if (!stat.open(QIODevice::ReadOnly) || !uptime.open(QIODevice::ReadOnly)) return -1;
    const QByteArray fields = stat.readAll();
    // the second field is the program's name in parentheses and may contain spaces
    const double startTicks = fields.mid(fields.lastIndexOf(')') + 2).split(' ').value(19).toDouble();
    return (uptime.readAll().split(' ').value(0).toDouble() - startTicks / static_cast<double>(sysconf(_SC_CLK_TCK))) *
           1e3;
}

} // namespace

Result<std::unique_ptr<Window>> Window::create(const QString& file)
{
    ui::TrackingOptions options;
    MR_TRY(options.home, protocol::Home::fromEnvironment());
    MR_CHECK(options.home.create());
    MR_TRY(options.resourceDirectory, protocol::findResourceDirectory());
    const QString quickStart =
        QString::fromStdString(options.resourceDirectory) + QStringLiteral("/templates/quick_start.millrace");

    ui::theme().apply();
    std::unique_ptr<Window> result(new Window);
    result->m_parts = std::make_unique<Parts>(std::move(options));
    Parts& parts = *result->m_parts;
    parts.window = std::make_unique<ui::MainWindow>(ui::WindowParts{
        parts.document, parts.files, parts.tracking, parts.answers, quickStart, exists("/proc/driver/nvidia/version")});
    if (qEnvironmentVariableIsSet("MILLRACE_TRACE_START"))
        QObject::connect(parts.window.get(), &ui::MainWindow::shown, parts.window.get(),
                         [] { std::fprintf(stderr, "first frame after %.0f ms\n", millisecondsSinceStart()); });
    parts.files.start();
    // what comes with Millrace is a template: it is opened as an unsaved copy, never written over
    if (file.isEmpty())
        parts.files.openTemplate(quickStart);
    else
        parts.files.open(file);
    return result;
}

void Window::show()
{
    m_parts->window->show();
}

} // namespace millrace::app
