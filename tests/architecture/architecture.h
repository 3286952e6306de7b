#pragma once
// Reads the table of modules and finds the lines of a source tree that break it.

#include <filesystem>
#include <set>
#include <string>
#include <vector>

namespace millrace::architecture {

/// One row of [modules]: `allowed` is the module itself and all it may use, directly or in turn.
struct Module
{
    std::string name;
    std::vector<std::string> paths; ///< how its files' paths begin
    std::set<std::string> allowed;
};

/// One row of [libraries]: headers and CMake targets are prefixes, `paths` where they may appear.
struct Library
{
    std::string name;
    std::vector<std::string> headers;
    std::vector<std::string> targets;
    std::vector<std::string> paths;
};

struct Rules
{
    std::vector<Module> modules;
    std::vector<Library> libraries;
    std::vector<std::string> problems; ///< what is wrong with the table itself, as `line N: …`

    const Module* ofFile(const std::string& path) const;
    const Module* named(const std::string& name) const;
};

Rules readRules(const std::filesystem::path& file);

/// Every breach in the tree, as `path:line: what it does; what the rule is`, ordered by path and line.
std::vector<std::string> breaches(const std::filesystem::path& root, const Rules& rules);

} // namespace millrace::architecture
