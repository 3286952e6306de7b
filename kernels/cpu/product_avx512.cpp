// Small products for AVX-512.
#include "kernels/cpu/product_tile.h"

namespace millrace::kernels::cpu {

const BlockCode kAvx512Blocks = kCode;

} // namespace millrace::kernels::cpu
