#include "engine/train/gradient_exchange.h"

#include "kernels/base/text.h"

#include <algorithm>
#include <array>

namespace millrace::train {

using collective::Shard;
using collective::shardOf;

namespace {

/// Why a rule cannot work on shards; empty where it can.
std::string_view needsWhole(std::string_view optimizer)
{
    struct Row
    {
        std::string_view id, reason;
    };
    constexpr std::array<Row, 4> kRows{{{"lamb", "scales each tensor by the norms of all of it"},
                                        {"muon", "makes whole matrices orthogonal"},
                                        {"lbfgs", "searches along a line through all parameters"},
                                        {"cg", "searches along a line through all parameters"}}};
    const auto row = std::ranges::find(kRows, optimizer, &Row::id);
    return row == kRows.end() ? std::string_view() : row->reason;
}

constexpr std::size_t kFigures = 8; // of a rank: 64 bytes, the border of shards

} // namespace

GradientExchange::GradientExchange(const Ranks& ranks, const compile::Program& program)
    : m_ranks(ranks), m_buckets(gradientBuckets(program, ranks.bucketBytes))
{
    for (const GradientBucket& bucket : m_buckets) {
        const Shard own = sharded() ? shardOf(bucket.end - bucket.begin, group().worldSize(), group().rank())
                                    : Shard{0, bucket.end - bucket.begin};
        if (own.size() > 0) m_owned.push_back({bucket.begin + own.begin, bucket.begin + own.end});
    }
    std::ranges::sort(m_owned, {}, &Shard::begin);
}

Result<std::unique_ptr<GradientExchange>>
GradientExchange::create(const Ranks& ranks, const OptimizerSettings& optimizer, const compile::Program& program)
{
    if (const auto reason = needsWhole(optimizer.id); ranks.shardOptimizer && !reason.empty())
        return makeError(Code::Unsupported, str("The optimizer ", printable(optimizer.id), " ", reason,
                                                ", so its state cannot be divided among the ranks."))
            .advise("Choose an element-wise optimizer, such as adamw, or train without shards.");
    return std::unique_ptr<GradientExchange>(new GradientExchange(ranks, program));
}

void GradientExchange::begin(std::span<float> gradients, std::function<void(const GradientBucket&)> prepare)
{
    m_gradients = gradients;
    m_prepare = std::move(prepare);
    m_open = true;
    m_started = 0;
    m_tickets.clear();
}

void GradientExchange::start(const GradientBucket& bucket)
{
    if (m_prepare) m_prepare(bucket);
    const auto values = m_gradients.subspan(bucket.begin, bucket.end - bucket.begin);
    m_tickets.push_back(sharded() ? group().startReduceScatter(values) : group().startAllReduce(values));
}

void GradientExchange::completed(std::size_t operation)
{
    while (m_open && m_started < m_buckets.size() && m_buckets[m_started].readyAfter <= operation)
        start(m_buckets[m_started++]);
}

Status GradientExchange::finish()
{
    m_open = false;
    while (m_started < m_buckets.size()) start(m_buckets[m_started++]);
    for (const collective::Ticket ticket : m_tickets) MR_CHECK(group().wait(ticket));
    return {};
}

Status GradientExchange::gather(std::span<std::byte> values, std::size_t elementBytes)
{
    if (!sharded()) return {};
    m_tickets.clear();
    for (const GradientBucket& bucket : m_buckets)
        m_tickets.push_back(group().startAllGather(
            values.subspan(bucket.begin * elementBytes, (bucket.end - bucket.begin) * elementBytes), elementBytes));
    for (const collective::Ticket ticket : m_tickets) MR_CHECK(group().wait(ticket));
    return {};
}

ParameterLayout GradientExchange::ownedLayout(const ParameterLayout& whole) const
{
    ParameterLayout own;
    for (const Shard& shard : m_owned) {
        for (const kernels::Segment& segment : whole.segments) {
            const std::uint64_t begin = std::max<std::uint64_t>(segment.begin, shard.begin);
            const std::uint64_t end = std::min<std::uint64_t>(segment.end, shard.end);
            if (begin >= end) continue;
            kernels::Segment part = segment;
            part.begin = own.size + (begin - shard.begin);
            part.end = own.size + (end - shard.begin);
            own.segments.push_back(part);
        }
        own.size += shard.size();
    }
    return own;
}

void GradientExchange::copyOwned(std::span<const float> whole, std::span<float> own) const
{
    auto to = own.begin();
    for (const Shard& shard : m_owned) to = std::ranges::copy(whole.subspan(shard.begin, shard.size()), to).out;
}

void GradientExchange::copyBack(std::span<const float> own, std::span<float> whole) const
{
    for (const Shard& shard : m_owned) {
        std::ranges::copy(own.first(shard.size()), whole.begin() + static_cast<std::ptrdiff_t>(shard.begin));
        own = own.subspan(shard.size());
    }
}

Status GradientExchange::sum(std::span<double> figures)
{
    const auto ranks = static_cast<std::size_t>(group().worldSize()), rank = static_cast<std::size_t>(group().rank());
    if (figures.size() > kFigures)
        return makeError(Code::Internal, str("At most ", kFigures, " figures go together, not ", figures.size(), "."));
    m_figures.assign(ranks * kFigures, 0);
    std::ranges::copy(figures, m_figures.begin() + static_cast<std::ptrdiff_t>(rank * kFigures));
    MR_CHECK(group().wait(group().startAllGather(std::as_writable_bytes(std::span(m_figures)), sizeof(float))));
    for (std::size_t i = 0; i < figures.size(); ++i) {
        figures[i] = 0;
        for (std::size_t from = 0; from < ranks; ++from) figures[i] += m_figures[from * kFigures + i];
    }
    return {};
}

} // namespace millrace::train
