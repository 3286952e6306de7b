#include "ui/design/palette_search.h"

#include "ui/document/text.h"

#include <QList>
#include <algorithm>

namespace millrace::ui {

namespace {

bool startsWord(QStringView text, qsizetype at)
{
    return at == 0 || !text[at - 1].isLetterOrNumber();
}

// Where the word begins at the start of a word of the text, it is worth more than in the middle of one.
int directScore(QStringView word, QStringView text, int atFront, int atWord, int inside)
{
    int best = 0;
    for (qsizetype at = text.indexOf(word); at >= 0; at = text.indexOf(word, at + 1)) {
        if (at == 0) return atFront;
        best = std::max(best, startsWord(text, at) ? atWord : inside);
    }
    return best;
}

// Its letters in order, the first of them at the start of a word; the fewer others between, the better.
int scatteredScore(QStringView word, QStringView text, int full)
{
    int best = 0;
    for (qsizetype start = 0; start < text.size(); ++start) {
        if (!startsWord(text, start) || text[start] != word[0]) continue;
        qsizetype at = start;
        qsizetype matched = 1;
        while (matched < word.size() && ++at < text.size())
            if (text[at] == word[matched]) ++matched;
        if (matched < word.size()) continue;
        const auto between = static_cast<int>(at + 1 - start - word.size());
        best = std::max(best, std::max(1, full - 2 * between));
    }
    return best;
}

int wordScore(QStringView word, const QString& title, const QString& type, const QString& help)
{
    int best = directScore(word, title, 100, 80, 50);
    best = std::max(best, directScore(word, type, 60, 60, 40));
    best = std::max(best, scatteredScore(word, title, 40));
    best = std::max(best, scatteredScore(word, type, 30));
    if (word.size() >= 3) best = std::max(best, directScore(word, help, 20, 20, 10));
    return best;
}

} // namespace

int searchScore(QStringView query, const pipeline::NodeSpec& spec)
{
    const QString title = toQt(spec.title).toLower(), type = toQt(spec.type).toLower(),
                  help = toQt(spec.help).toLower();
    const QString lower = query.toString().toLower();
    int total = 0;
    for (QStringView word : QStringView(lower).split(QLatin1Char(' '), Qt::SkipEmptyParts)) {
        const int score = wordScore(word, title, type, help);
        if (score == 0) return 0;
        total += score;
    }
    return total;
}

std::vector<const pipeline::NodeSpec*> searchTypes(const pipeline::Catalogue& catalogue, bool layers, QStringView query)
{
    const bool everything = query.trimmed().isEmpty();
    std::vector<std::pair<int, const pipeline::NodeSpec*>> scored;
    for (const pipeline::NodeSpec& spec : catalogue.all()) {
        if (spec.isLayer != layers) continue;
        const int score = everything ? 1 : searchScore(query, spec);
        if (score > 0) scored.emplace_back(score, &spec);
    }
    std::stable_sort(scored.begin(), scored.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
    std::vector<const pipeline::NodeSpec*> found;
    for (const auto& [score, spec] : scored) found.push_back(spec);
    return found;
}

} // namespace millrace::ui
