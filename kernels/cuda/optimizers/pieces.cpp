#include "kernels/cuda/optimizers/pieces.h"

#include <algorithm>

namespace millrace::kernels::cuda {

namespace {

/// A short pass takes as long as one block: its pieces are one round of a block's threads.
std::uint64_t pieceSize(std::span<const Segment> segments)
{
    constexpr std::uint64_t kRound = 1024, kLong = 4 * kRound, kFewBlocks = 512;
    std::uint64_t elements = 0;
    for (const Segment& segment : segments) elements += segment.end - segment.begin;
    return elements < kFewBlocks * kLong ? kRound : kLong;
}

} // namespace

std::vector<Piece> piecesOf(std::span<const Segment> segments)
{
    const std::uint64_t size = pieceSize(segments);
    std::vector<Piece> pieces;
    for (std::size_t i = 0; i < segments.size(); ++i) {
        const Segment& segment = segments[i];
        for (std::uint64_t begin = segment.begin; begin < segment.end;) {
            const std::uint64_t end = std::min(segment.end, (begin / size + 1) * size);
            pieces.push_back({begin, end, static_cast<std::uint32_t>(i), segment.decay ? 1U : 0U});
            begin = end;
        }
    }
    return pieces;
}

} // namespace millrace::kernels::cuda
