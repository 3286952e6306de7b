// Which token comes next: drawn from a model's logits, the same for the same seed.
#pragma once

#include "kernels/base/random.h"
#include "kernels/base/result.h"

#include <cstdint>
#include <span>
#include <vector>

namespace millrace::generate {

struct SampleOptions
{
    double temperature = 0.8; ///< the logits are divided by it; 0: always the most likely token
    std::int64_t topK = 0;    ///< only the most likely so many; 0: all
    double topP = 1;          ///< of those only the most likely ones that together have this probability
    std::uint64_t seed = 0;

    /// Errors: InvalidArgument naming the setting and its range.
    Status check() const;
};

/// Fan, Lewis, Dauphin 2018, arXiv:1805.04833 (top-k); Holtzman et al. 2020, arXiv:1904.09751 (top-p).
class Sampler
{
public:
    /// `options` as check() lets them through.
    explicit Sampler(const SampleOptions& options);

    /// The next token of the stream. Equal logits count in the order of their ids. Errors: Diverged where a logit is no
    /// finite number.
    Result<std::int32_t> next(std::span<const float> logits);
    /// The probability with which `next` draws each token.
    std::vector<double> probabilities(std::span<const float> logits);

private:
    void choose(std::span<const float> logits);

    SampleOptions m_options;
    Random m_random;
    std::vector<std::int32_t> m_ids; ///< the tokens that may come
    std::vector<double> m_weights;   ///< of m_ids; not scaled to a sum of 1
    double m_sum = 0;                ///< of m_weights
};

} // namespace millrace::generate
