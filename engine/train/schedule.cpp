#include "engine/train/schedule.h"

#include "kernels/base/text.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <vector>

namespace millrace::train {

namespace {

constexpr double kRise = 0.3, kFirstPart = 25; // of one_cycle, as PyTorch's OneCycleLR
constexpr double kPlateauThreshold = 1e-4;

struct Moment
{
    std::int64_t step, reductions;
    double progress; ///< after the warm-up, from 0 to 1
    double steps;    ///< after the warm-up in all
};

/// From one rate to another along half a cosine.
double alongCosine(double from, double to, double progress)
{
    return to + (from - to) * 0.5 * (1 + std::cos(std::numbers::pi * progress));
}

double stepped(const Schedule& s, const Moment& at)
{
    return s.base * std::pow(s.factor, static_cast<double>(at.step / s.length));
}

double exponential(const Schedule& s, const Moment& at)
{
    return s.base * std::pow(s.factor, static_cast<double>(at.step) / static_cast<double>(s.length));
}

double polynomial(const Schedule& s, const Moment& at)
{
    return s.finalRate + (s.base - s.finalRate) * std::pow(1 - at.progress, s.power);
}

// The highest rate is reached at the last step of the rise and the final rate at the last step of all.
double oneCycle(const Schedule& s, const Moment& at)
{
    const double step = at.progress * at.steps, top = kRise * at.steps - 1, last = at.steps - 1;
    return step < top ? alongCosine(s.base / kFirstPart, s.base, step / top)
                      : alongCosine(s.base, s.finalRate, std::min(1.0, (step - top) / (last - top)));
}

double plateau(const Schedule& s, const Moment& at)
{
    return std::max(s.finalRate, s.base * std::pow(s.factor, static_cast<double>(at.reductions)));
}

struct Row
{
    std::string_view id;
    double (*rate)(const Schedule&, const Moment&);
};
constexpr std::array<Row, 7> kRows{{
    {"constant", [](const Schedule& s, const Moment&) { return s.base; }},
    {"step", stepped},
    {"exponential", exponential},
    {"polynomial", polynomial},
    {"cosine", [](const Schedule& s, const Moment& at) { return alongCosine(s.base, s.finalRate, at.progress); }},
    {"one_cycle", oneCycle},
    {"plateau", plateau},
}};

} // namespace

Status Schedule::check() const
{
    std::vector<std::string> known;
    for (const Row& row : kRows) {
        if (row.id == id) return {};
        known.emplace_back(row.id);
    }
    return makeError(Code::NotFound, str("There is no schedule \"", printable(id), "\"."))
        .advise(didYouMean(id, known));
}

double Schedule::rate(std::int64_t step, std::int64_t reductions) const
{
    if (step < warmup) return base * static_cast<double>(step + 1) / static_cast<double>(warmup);
    const auto span = static_cast<double>(std::max<std::int64_t>(1, totalSteps - warmup));
    const Moment at{step, reductions, std::min(1.0, static_cast<double>(step - warmup) / span), span};
    for (const Row& row : kRows)
        if (row.id == id) return row.rate(*this, at);
    return base;
}

void Plateau::observe(double loss, std::int64_t patience)
{
    if (loss < best * (1 - kPlateauThreshold)) {
        best = loss;
        worse = 0;
        return;
    }
    if (++worse <= patience) return;
    reductions += 1;
    worse = 0;
}

nlohmann::json toJson(const Plateau& plateau)
{
    return {{"best", std::isfinite(plateau.best) ? nlohmann::json(plateau.best) : nlohmann::json()},
            {"worse", plateau.worse},
            {"reductions", plateau.reductions}};
}

Plateau plateauFromJson(const nlohmann::json& json)
{
    Plateau plateau;
    if (const auto best = json.find("best"); best != json.end() && best->is_number()) plateau.best = *best;
    plateau.worse = json.value("worse", plateau.worse);
    plateau.reductions = json.value("reductions", plateau.reductions);
    return plateau;
}

} // namespace millrace::train
