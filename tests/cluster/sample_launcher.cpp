// Launches a run and waits to be killed: sample_launcher HOME RUNNER RUN
#include "cluster/local_target.h"

#include <iostream>
#include <unistd.h>

using namespace millrace;

int main(int count, char** arguments)
{
    if (count != 4) return 2;
    cluster::LocalTarget target(protocol::Home{arguments[1]}, arguments[2]);
    protocol::Job job;
    job.run = arguments[3];
    job.name = "sleep";
    job.pipelineText = R"({"format": "millrace/1", "name": "Sample", "nodes": [], "links": []})";
    const auto launched = target.launch(std::move(job));
    std::cout << (launched ? "launched" : launched.error().message) << std::endl;
    for (;;) ::pause();
}
