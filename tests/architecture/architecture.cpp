#include "architecture.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <sstream>

namespace millrace::architecture {

namespace {

namespace fs = std::filesystem;

std::vector<std::string> words(const std::string& text)
{
    std::istringstream stream(text);
    std::vector<std::string> result;
    for (std::string word; stream >> word;) result.push_back(word);
    return result;
}

std::vector<std::string> columns(const std::string& line)
{
    std::vector<std::string> result;
    std::istringstream stream(line);
    for (std::string column; std::getline(stream, column, '|');) result.push_back(column);
    return result;
}

std::vector<std::string> lines(const fs::path& file)
{
    std::ifstream stream(file);
    std::vector<std::string> result;
    for (std::string line; std::getline(stream, line);) result.push_back(line);
    return result;
}

std::string join(const std::set<std::string>& names)
{
    std::string result;
    for (const auto& name : names) result += (result.empty() ? "" : ", ") + name;
    return result;
}

bool beginsWithOneOf(const std::string& text, const std::vector<std::string>& prefixes)
{
    return std::any_of(prefixes.begin(), prefixes.end(),
                       [&](const std::string& prefix) { return text.starts_with(prefix); });
}

void readModule(const std::vector<std::string>& row, const std::string& at, Rules& rules)
{
    Module module{words(row[0]).at(0), words(row[1]), {}};
    for (const auto& used : row.size() > 2 ? words(row[2]) : std::vector<std::string>{}) {
        const bool forbidden = used.front() == '!';
        const std::string name = forbidden ? used.substr(1) : used;
        const Module* other = rules.named(name);
        if (!other)
            rules.problems.push_back(at + module.name + " names " + name + ", which does not stand above it");
        else if (forbidden)
            module.allowed.erase(name);
        else
            module.allowed.insert(other->allowed.begin(), other->allowed.end());
    }
    module.allowed.insert(module.name);
    rules.modules.push_back(std::move(module));
}

/// One `#include` of a source file.
struct Include
{
    std::size_t line;
    std::string header;
    bool quoted;
};

std::vector<Include> includesOf(const fs::path& file)
{
    std::vector<Include> result;
    std::size_t number = 0;
    for (const auto& line : lines(file)) {
        ++number;
        const auto hash = line.find_first_not_of(" \t");
        if (hash == std::string::npos || line[hash] != '#') continue;
        const auto keyword = line.find_first_not_of(" \t", hash + 1);
        if (keyword == std::string::npos || line.compare(keyword, 7, "include") != 0) continue;
        const auto open = line.find_first_of("\"<", keyword);
        if (open == std::string::npos) continue;
        const auto close = line.find(line[open] == '"' ? '"' : '>', open + 1);
        if (close != std::string::npos)
            result.push_back({number, line.substr(open + 1, close - open - 1), line[open] == '"'});
    }
    return result;
}

/// One `millrace_library(…)` of a CMake file: its name, what it uses and everything else it mentions, each with its
/// line.
struct LibraryCall
{
    std::string name;
    std::vector<std::pair<std::size_t, std::string>> uses;
    std::vector<std::pair<std::size_t, std::string>> mentioned;
};

std::vector<LibraryCall> libraryCallsOf(const fs::path& file)
{
    std::vector<std::pair<std::size_t, std::string>> tokens;
    std::size_t number = 0;
    for (std::string line : lines(file)) {
        ++number;
        line = line.substr(0, line.find('#'));
        std::string spaced;
        for (const char character : line)
            spaced += character == '(' || character == ')' ? std::string{' ', character, ' '} : std::string{character};
        for (const auto& token : words(spaced)) tokens.emplace_back(number, token);
    }
    const std::set<std::string> keywords{"NAME", "SOURCES", "USES", "LINKS", "PRIVATE_LINKS", "QT"};
    std::vector<LibraryCall> result;
    for (std::size_t i = 0; i < tokens.size(); ++i) {
        if (tokens[i].second != "millrace_library") continue;
        LibraryCall call;
        std::string keyword;
        for (i += 2; i < tokens.size() && tokens[i].second != ")"; ++i) {
            const auto& token = tokens[i];
            if (keywords.contains(token.second))
                keyword = token.second;
            else if (keyword == "NAME")
                call.name = token.second;
            else if (keyword == "USES")
                call.uses.push_back(token);
            else if (keyword != "SOURCES")
                call.mentioned.push_back(token);
        }
        result.push_back(std::move(call));
    }
    return result;
}

class Scan
{
public:
    Scan(fs::path root, const Rules& rules) : m_root(std::move(root)), m_rules(rules) { collect(); }

    std::vector<std::string> run()
    {
        for (const auto& file : m_sources) checkSource(file);
        for (const auto& [file, calls] : m_libraryCalls)
            for (const auto& call : calls) checkLibraryCall(file, call);
        return std::move(m_breaches);
    }

private:
    void collect()
    {
        std::set<std::string> folders;
        for (const auto& module : m_rules.modules)
            for (const auto& path : module.paths) folders.insert(path.substr(0, path.find('/')));
        for (const auto& folder : folders) {
            if (!fs::exists(m_root / folder)) continue;
            for (const auto& entry : fs::recursive_directory_iterator(m_root / folder)) {
                const std::string file = fs::relative(entry.path(), m_root).generic_string();
                const std::string extension = entry.path().extension();
                if (extension == ".h" || extension == ".cpp" || extension == ".cu" || extension == ".cuh")
                    m_sources.insert(file);
                else if (entry.path().filename() == "CMakeLists.txt" || extension == ".cmake")
                    m_libraryCalls[file] = libraryCallsOf(entry.path());
            }
        }
        for (const auto& [file, calls] : m_libraryCalls)
            for (const auto& call : calls) m_moduleOfLibrary[call.name] = moduleOf(file, call);
    }

    /// Most libraries are a module; those that are not are parts of the module that their folder belongs to.
    const Module* moduleOf(const std::string& file, const LibraryCall& call) const
    {
        const Module* named = m_rules.named(call.name);
        return named ? named : m_rules.ofFile(file);
    }

    void checkSource(const std::string& file)
    {
        const Module* module = m_rules.ofFile(file);
        if (!module) return breach(file, 1, "belongs to no module; give its folder a row");
        for (const auto& include : includesOf(m_root / file)) {
            checkLibraries(file, include.line, include.header, &Library::headers);
            if (!include.quoted || include.header.ends_with(".moc")) continue;
            const Module* other = m_rules.ofFile(include.header);
            if (other)
                checkUse(file, include.line, *module, *other, "includes " + include.header);
            else
                breach(file, include.line,
                       "includes " + include.header +
                           ", which is in no module; includes begin at the root of the tree");
        }
    }

    void checkLibraryCall(const std::string& file, const LibraryCall& call)
    {
        const Module* module = moduleOf(file, call);
        if (!module) return breach(file, 1, "library " + call.name + " belongs to no module; give its folder a row");
        for (const auto& [line, used] : call.uses) {
            const auto other = m_moduleOfLibrary.find(used);
            if (other == m_moduleOfLibrary.end() || !other->second)
                breach(file, line, "library " + call.name + " uses " + used + ", which no millrace_library makes");
            else
                checkUse(file, line, *module, *other->second, "library " + call.name + " uses " + used);
        }
        for (const auto& [line, target] : call.mentioned) checkLibraries(file, line, target, &Library::targets);
    }

    void checkUse(const std::string& file, std::size_t line, const Module& module, const Module& other,
                  const std::string& what)
    {
        if (!module.allowed.contains(other.name))
            breach(file, line,
                   what + "; " + module.name + " may not use " + other.name + ", only " + join(module.allowed));
    }

    void checkLibraries(const std::string& file, std::size_t line, const std::string& text,
                        std::vector<std::string> Library::*prefixes)
    {
        for (const auto& library : m_rules.libraries)
            if (beginsWithOneOf(text, library.*prefixes) && !beginsWithOneOf(file, library.paths))
                breach(file, line,
                       "names " + text + "; " + library.name + " is known " +
                           (library.paths.empty() ? "nowhere"
                                                  : "only in " + join({library.paths.begin(), library.paths.end()})));
    }

    void breach(const std::string& file, std::size_t line, const std::string& what)
    {
        m_breaches.push_back(file + ":" + std::to_string(line) + ": " + what);
    }

    fs::path m_root;
    const Rules& m_rules;
    std::set<std::string> m_sources;
    std::map<std::string, std::vector<LibraryCall>> m_libraryCalls;
    std::map<std::string, const Module*> m_moduleOfLibrary;
    std::vector<std::string> m_breaches;
};

} // namespace

const Module* Rules::ofFile(const std::string& path) const
{
    const Module* longest = nullptr;
    std::size_t length = 0;
    for (const auto& module : modules)
        for (const auto& start : module.paths)
            if (path.starts_with(start) && start.size() > length) {
                longest = &module;
                length = start.size();
            }
    return longest;
}

const Module* Rules::named(const std::string& name) const
{
    const auto found = std::find_if(modules.begin(), modules.end(), [&](const Module& m) { return m.name == name; });
    return found == modules.end() ? nullptr : &*found;
}

Rules readRules(const fs::path& file)
{
    Rules rules;
    std::string section;
    std::size_t number = 0;
    for (std::string line : lines(file)) {
        const std::string at = "line " + std::to_string(++number) + ": ";
        line = line.substr(0, line.find('#'));
        if (words(line).empty()) continue;
        const auto row = columns(line);
        if (line.front() == '[')
            section = words(line)[0];
        else if (section == "[modules]" && row.size() >= 2)
            readModule(row, at, rules);
        else if (section == "[libraries]" && row.size() >= 3)
            rules.libraries.push_back({words(row[0]).at(0), words(row[1]), words(row[2]),
                                       row.size() > 3 ? words(row[3]) : std::vector<std::string>{}});
        else
            rules.problems.push_back(at + "is no row of [modules] or [libraries]: " + line);
    }
    return rules;
}

std::vector<std::string> breaches(const fs::path& root, const Rules& rules)
{
    return Scan(root, rules).run();
}

} // namespace millrace::architecture
