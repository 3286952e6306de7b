#include "engine/protocol/device_choice.h"

#include "kernels/base/text.h"

namespace millrace::protocol {

Result<DeviceChoice> DeviceChoice::create(std::string_view text)
{
    constexpr std::string_view kPrefix = "cuda:";
    if (text == "cpu") return DeviceChoice{};
    if (text == "cuda") return DeviceChoice{true, {}};
    const std::string_view which = text.starts_with(kPrefix) ? text.substr(kPrefix.size()) : std::string_view();
    const auto index = parseInteger(which);
    if ((index && *index >= 0) || which.starts_with("GPU-") || which.starts_with("MIG-"))
        return DeviceChoice{true, std::string(which)};
    return makeError(Code::InvalidArgument, str("There is no device \"", printable(text), "\"."))
        .advise("Use cpu, cuda, cuda:INDEX or cuda:UUID.");
}

} // namespace millrace::protocol
