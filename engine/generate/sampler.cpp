#include "engine/generate/sampler.h"

#include "kernels/base/text.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace millrace::generate {

namespace {

Error outOfRange(std::string_view setting, double value, std::string_view range)
{
    return makeError(Code::InvalidArgument, str("The ", setting, " is ", value, ", but must be ", range, "."));
}

} // namespace

Status SampleOptions::check() const
{
    if (!(temperature >= 0 && temperature <= 100)) return outOfRange("temperature", temperature, "from 0 to 100");
    if (topK < 0) return outOfRange("number of most likely tokens (top-k)", static_cast<double>(topK), "0 or more");
    if (!(topP > 0 && topP <= 1)) return outOfRange("probability of the tokens (top-p)", topP, "above 0 and up to 1");
    return {};
}

Sampler::Sampler(const SampleOptions& options) : m_options(options), m_random(options.seed, streamOf("generate")) {}

Result<std::int32_t> Sampler::next(std::span<const float> logits)
{
    for (const float logit : logits)
        if (!std::isfinite(logit))
            return makeError(Code::Diverged, "The model's output is not a finite number, so no token follows from it.")
                .advise("Train it again with a lower learning rate.");
    choose(logits);
    double left = m_random.uniformDouble() * m_sum;
    for (std::size_t i = 0; i + 1 < m_ids.size(); ++i) {
        left -= m_weights[i];
        if (left < 0) return m_ids[i];
    }
    return m_ids.back();
}

std::vector<double> Sampler::probabilities(std::span<const float> logits)
{
    choose(logits);
    std::vector<double> all(logits.size());
    for (std::size_t i = 0; i < m_ids.size(); ++i) all[static_cast<std::size_t>(m_ids[i])] = m_weights[i] / m_sum;
    return all;
}

void Sampler::choose(std::span<const float> logits)
{
    const auto largest = std::max_element(logits.begin(), logits.end());
    if (m_options.temperature == 0) {
        m_ids.assign(1, static_cast<std::int32_t>(largest - logits.begin()));
        m_weights.assign(1, 1.0);
        m_sum = 1;
        return;
    }
    m_ids.resize(logits.size());
    std::iota(m_ids.begin(), m_ids.end(), 0);
    const bool some = m_options.topK > 0 && m_options.topK < static_cast<std::int64_t>(m_ids.size());
    if (some || m_options.topP < 1) { // the most likely first
        const auto end = some ? m_ids.begin() + m_options.topK : m_ids.end();
        std::partial_sort(m_ids.begin(), end, m_ids.end(), [&](std::int32_t a, std::int32_t b) {
            const float left = logits[static_cast<std::size_t>(a)], right = logits[static_cast<std::size_t>(b)];
            return left > right || (left == right && a < b);
        });
        m_ids.erase(end, m_ids.end());
    }
    m_weights.clear();
    m_sum = 0;
    for (const std::int32_t id : m_ids) {
        const double below = static_cast<double>(logits[static_cast<std::size_t>(id)]) - static_cast<double>(*largest);
        m_sum += m_weights.emplace_back(std::exp(below / m_options.temperature));
    }
    if (m_options.topP >= 1) return;
    const double wanted = m_options.topP * m_sum;
    double kept = 0;
    std::size_t count = 0;
    while (count < m_ids.size() && kept < wanted) kept += m_weights[count++];
    m_ids.resize(count);
    m_weights.resize(count);
    m_sum = kept;
}

} // namespace millrace::generate
