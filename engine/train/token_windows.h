// Windows of a text as rows: each token's label is the token that follows it.
#pragma once

#include "engine/train/step_rows.h"
#include "kernels/base/random.h"

#include <vector>

namespace millrace::train {

/// Windows that start where they are asked for, put together as a micro-batch.
class WindowBatch
{
public:
    WindowBatch(std::span<const std::int32_t> ids, std::int64_t context)
        : m_ids(ids), m_context(static_cast<std::size_t>(context))
    {
    }
    void clear()
    {
        m_tokens.clear();
        m_labels.clear();
    }
    /// The window of context + 1 tokens from there.
    void add(std::int64_t start)
    {
        const auto window = m_ids.subspan(static_cast<std::size_t>(start), m_context + 1);
        m_tokens.insert(m_tokens.end(), window.begin(), window.end() - 1);
        m_labels.insert(m_labels.end(), window.begin() + 1, window.end());
    }
    /// Valid until the batch changes.
    MicroBatch view() const
    {
        const std::size_t rows = m_tokens.size() / m_context;
        MicroBatch batch;
        batch.rows = static_cast<std::int64_t>(rows);
        batch.tokens = m_tokens;
        batch.labels = m_labels;
        batch.weight = static_cast<double>(rows);
        return batch;
    }

private:
    std::span<const std::int32_t> m_ids;
    std::size_t m_context;
    std::vector<std::int32_t> m_tokens, m_labels;
};

/// The windows of each step: their starts are a pure function of (seed, step).
class TokenWindows : public StepRows
{
public:
    /// `ids` outlives this and has more than `context` tokens.
    TokenWindows(std::span<const std::int32_t> ids, std::int64_t context, std::int64_t rows, std::int64_t accumulation,
                 std::uint64_t seed)
        : m_batch(ids, context), m_starts(static_cast<std::int64_t>(ids.size()) - context), m_rows(rows),
          m_accumulation(accumulation), m_seed(seed)
    {
    }
    /// The step that is made next.
    void goTo(std::int64_t step) { m_step = step; }
    Status begin() override
    {
        m_taken = 0;
        // each start takes two of the four numbers of a block, so that no two steps share a block
        const std::int64_t perStep = m_rows * m_accumulation;
        m_random = Random(m_seed, streamOf("windows"), static_cast<std::uint64_t>(m_step * perStep));
        return {};
    }
    Result<const MicroBatch*> next() override
    {
        if (m_taken == m_accumulation) return nullptr;
        m_taken += 1;
        m_batch.clear();
        for (std::int64_t row = 0; row < m_rows; ++row)
            m_batch.add(static_cast<std::int64_t>(m_random.below(static_cast<std::uint64_t>(m_starts))));
        m_view = m_batch.view();
        return &m_view;
    }

private:
    WindowBatch m_batch;
    std::int64_t m_starts, m_rows, m_accumulation;
    std::uint64_t m_seed;
    std::int64_t m_step = 0, m_taken = 0;
    Random m_random{0, 0};
    MicroBatch m_view;
};

} // namespace millrace::train
