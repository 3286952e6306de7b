// Small products for any processor.
#include "kernels/cpu/product_tile.h"

namespace millrace::kernels::cpu {

const BlockCode kBaselineBlocks = kCode;

} // namespace millrace::kernels::cpu
