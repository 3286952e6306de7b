// Small products for AVX2 with fused multiply-add.
#include "kernels/cpu/product_tile.h"

namespace millrace::kernels::cpu {

const BlockCode kAvx2Blocks = kCode;

} // namespace millrace::kernels::cpu
