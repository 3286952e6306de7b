// A process that writes the tracking database until it is done or killed, for the crash tests.
//
//   storage_writer write DATABASE RUN COUNT    one event a transaction; prints each seq once it is acknowledged
//   storage_writer migrate DATABASE            opens with a version 2 of the schema
#include "kernels/base/text.h"
#include "tests/storage/samples.h"

#include <cstdio>
#include <cstdlib>
#include <iostream>

using namespace millrace;
using namespace millrace::storage;

namespace {
constexpr std::int64_t kCheckpointEvery = 20;

int fail(const Error& error)
{
    std::cerr << error.message << std::endl;
    return EXIT_FAILURE;
}

int write(TrackingDatabase database, const std::string& id, std::int64_t count)
{
    if (auto created = database.createRun(samples::newRun(id)); !created) return fail(created.error());
    const auto run = database.run(id);
    if (!run) return fail(run.error());
    for (std::int64_t seq = run->lastSeq + 1; seq <= run->lastSeq + count; ++seq) {
        const std::vector<protocol::Event> events{samples::loss(seq, seq, 1.0 / static_cast<double>(seq))};
        if (auto stored = database.ingest(id, events); !stored) return fail(stored.error());
        std::cout << seq << std::endl;
        if (seq % kCheckpointEvery == 0)
            if (auto done = database.checkpoint(); !done) return fail(done.error());
    }
    return EXIT_SUCCESS;
}
} // namespace

int main(int count, char** arguments)
{
    const std::vector<std::string> words(arguments + 1, arguments + count);
    if (words.size() == 4 && words[0] == "write") {
        auto database = TrackingDatabase::open(words[1]);
        if (!database) return fail(database.error());
        return write(std::move(*database), words[2], std::strtoll(words[3].c_str(), nullptr, 10));
    }
    if (words.size() == 2 && words[0] == "migrate") {
        const auto versions = samples::twoVersions();
        OpenOptions options;
        options.migrations = versions;
        std::cout << "opening" << std::endl;
        const auto database = TrackingDatabase::open(words[1], Access::ReadWrite, options);
        return database ? EXIT_SUCCESS : fail(database.error());
    }
    std::cerr << "write DATABASE RUN COUNT, or migrate DATABASE" << std::endl;
    return 2;
}
