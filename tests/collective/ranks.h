// Several ranks in one process: a thread each, with a group of their own.
#pragma once

#include "engine/collective/gloo.h"

#include <QTemporaryDir>

#include <thread>
#include <vector>

namespace millrace::collective::test {

inline GroupSettings settingsOf(int rank, int worldSize, const QTemporaryDir& folder)
{
    GroupSettings settings;
    settings.rank = rank;
    settings.worldSize = worldSize;
    settings.meetingFile = folder.filePath(QStringLiteral("meeting")).toStdString();
    settings.join = std::chrono::seconds(20);
    return settings;
}

/// Runs the function on each rank; returns what each returned. A group that cannot be made is that rank's error.
template <class Function> auto onRanks(int worldSize, Function function)
{
    using Answer = decltype(function(std::declval<Group&>()));
    const QTemporaryDir folder;
    std::vector<Answer> answers(static_cast<std::size_t>(worldSize), Answer(makeError(Code::Internal, "not run")));
    {
        std::vector<std::jthread> threads;
        for (int rank = 0; rank < worldSize; ++rank)
            threads.emplace_back([&, rank] {
                auto group = createGlooGroup(settingsOf(rank, worldSize, folder));
                answers[static_cast<std::size_t>(rank)] = group ? function(**group) : Answer(group.error());
            });
    }
    return answers;
}

} // namespace millrace::collective::test
