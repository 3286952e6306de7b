// Builds everything that the window stands on, in order, and takes it down in reverse.
#pragma once

#include "kernels/base/result.h"

#include <QString>
#include <memory>

namespace millrace::app {

class Window
{
public:
    /// `file`: the pipeline to open; empty: the quick start. Errors: no place for $MILLRACE_HOME, no resources.
    static Result<std::unique_ptr<Window>> create(const QString& file);
    ~Window();
    void show();

private:
    Window();
    struct Parts;
    std::unique_ptr<Parts> m_parts;
};

} // namespace millrace::app
