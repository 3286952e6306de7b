#include "engine/protocol/job.h"

#include "engine/pipeline/document.h"
#include "engine/protocol/device_choice.h"
#include "engine/protocol/run_id.h"
#include "kernels/base/text.h"

namespace millrace::protocol {

namespace {
using Json = nlohmann::ordered_json;

constexpr std::string_view kFormat = "millrace-job/1";
constexpr std::string_view kFormatName = "millrace-job/";

template <class T>
Status take(const Json& json, const char* name, T& value, bool fits(const Json&), const char* expected)
{
    const auto found = json.find(name);
    if (found == json.end()) return {};
    if (!fits(*found))
        return makeError(Code::InvalidFormat,
                         str("\"", name, "\" of the job is ", printable(found->dump().substr(0, 40)), "; ", expected,
                             " is expected."));
    value = found->get<T>();
    return {};
}

bool isText(const Json& json)
{
    return json.is_string();
}
bool isTruth(const Json& json)
{
    return json.is_boolean();
}
bool isThreadCount(const Json& json)
{
    return json.is_number_integer() && json.get<std::int64_t>() >= 0 && json.get<std::int64_t>() <= 4096;
}

Status checkFormat(const Json& json)
{
    const auto found = json.find("format");
    const std::string format = found != json.end() && found->is_string() ? found->get<std::string>() : "";
    if (format == kFormat) return {};
    if (format.starts_with(kFormatName) &&
        parseInteger(std::string_view(format).substr(kFormatName.size())).value_or(0) > 1)
        return makeError(Code::NewerFormat, str("The job has the format \"", printable(format),
                                                "\"; this runner reads \"", kFormat, "\"."))
            .advise("Use the runner of the Millrace that wrote the job.");
    return makeError(Code::InvalidFormat,
                     str("The job has the format \"", printable(format), "\"; \"", kFormat, "\" is expected."));
}
} // namespace

std::string toText(const Job& job)
{
    Json json;
    json["format"] = kFormat;
    json["run"] = job.run;
    json["name"] = job.name;
    json["base_directory"] = job.baseDirectory;
    json["cache_directory"] = job.cacheDirectory;
    json["resource_directory"] = job.resourceDirectory;
    json["device"] = job.device;
    json["fit_memory"] = job.fitMemory;
    json["threads"] = job.threads;
    json["use_cache"] = job.useCache;
    json["resume"] = job.resume;
    json["pipeline"] = Json::parse(job.pipelineText, nullptr, false);
    return json.dump(2, ' ', false, Json::error_handler_t::replace) + '\n';
}

Result<Job> jobFromText(std::string_view text)
{
    const Json json = Json::parse(text, nullptr, false);
    if (json.is_discarded() || !json.is_object()) return makeError(Code::InvalidFormat, "The job is no JSON object.");
    MR_CHECK(checkFormat(json));
    Job job;
    MR_CHECK(take(json, "run", job.run, isText, "a text"));
    MR_CHECK(take(json, "name", job.name, isText, "a text"));
    MR_CHECK(take(json, "base_directory", job.baseDirectory, isText, "a text"));
    MR_CHECK(take(json, "cache_directory", job.cacheDirectory, isText, "a text"));
    MR_CHECK(take(json, "resource_directory", job.resourceDirectory, isText, "a text"));
    MR_CHECK(take(json, "device", job.device, isText, "a text"));
    MR_CHECK(take(json, "fit_memory", job.fitMemory, isTruth, "true or false"));
    MR_CHECK(take(json, "threads", job.threads, isThreadCount, "a number from 0 to 4096"));
    MR_CHECK(take(json, "use_cache", job.useCache, isTruth, "true or false"));
    MR_CHECK(take(json, "resume", job.resume, isTruth, "true or false"));
    if (!isRunId(job.run))
        return makeError(Code::InvalidFormat,
                         str("\"run\" of the job is \"", printable(job.run), "\", which is no run id."));
    MR_CHECK(DeviceChoice::create(job.device));
    const auto pipeline = json.find("pipeline");
    if (pipeline == json.end() || !pipeline->is_object())
        return makeError(Code::InvalidFormat, "The job has no \"pipeline\".");
    MR_TRY(const pipeline::Document document, pipeline::parseDocument(pipeline->dump(2)));
    job.pipelineText = pipeline::toText(document);
    return job;
}

} // namespace millrace::protocol
