// Where the files that come with Millrace are: templates/ and data/.
#pragma once

#include "kernels/base/result.h"

#include <string>

namespace millrace::protocol {

/// $MILLRACE_RESOURCES, else ../share/millrace beside the running program's folder. Errors: NotFound with both places.
Result<std::string> findResourceDirectory();

} // namespace millrace::protocol
