#include "kernels/cuda/optimizers/pieces.h"

#include <algorithm>

namespace millrace::kernels::cuda {

std::vector<Piece> piecesOf(std::span<const Segment> segments)
{
    std::vector<Piece> pieces;
    for (std::size_t i = 0; i < segments.size(); ++i) {
        const Segment& segment = segments[i];
        for (std::uint64_t begin = segment.begin; begin < segment.end;) {
            const std::uint64_t end = std::min(segment.end, (begin / kPieceSize + 1) * kPieceSize);
            pieces.push_back({begin, end, static_cast<std::uint32_t>(i), segment.decay ? 1U : 0U});
            begin = end;
        }
    }
    return pieces;
}

} // namespace millrace::kernels::cuda
