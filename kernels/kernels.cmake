# The arithmetic: contracts in ops/, plain loops in double in reference/, f32 kernels in cpu/.
# the fuzz targets are built by clang, whose OpenMP is a package of its own; our loops have one thread there
if(NOT MILLRACE_FUZZ)
  find_package(OpenMP REQUIRED COMPONENTS CXX)
endif()
# oneDNN by its files: Debian's CMake package of it asks for OpenCL headers that nothing here needs
find_library(MILLRACE_DNNL_LIBRARY dnnl REQUIRED)
find_path(MILLRACE_DNNL_INCLUDE dnnl.hpp REQUIRED)

set(MILLRACE_CPU_KERNELS cpu/activation.cpp cpu/add.cpp cpu/batch_norm.cpp cpu/conv2d.cpp cpu/copy.cpp cpu/cross_entropy.cpp
    cpu/dense.cpp cpu/dropout.cpp cpu/embedding.cpp cpu/mean_squared_error.cpp cpu/optimizer.cpp
    cpu/optimizers/adadelta.cpp cpu/optimizers/adagrad.cpp cpu/optimizers/adam.cpp cpu/optimizers/lamb.cpp
    cpu/optimizers/lion.cpp cpu/optimizers/muon.cpp cpu/optimizers/nadam.cpp cpu/optimizers/rmsprop.cpp
    cpu/optimizers/sgd.cpp cpu/pool2d.cpp cpu/position.cpp cpu/softmax.cpp cpu/winograd.cpp cpu/peak.cpp
    cpu/grey_conv.cpp cpu/threads.cpp)
list(APPEND MILLRACE_CPU_KERNELS cpu/binary_cross_entropy.cpp cpu/huber.cpp cpu/kl_divergence.cpp cpu/layer_norm.cpp
    cpu/adaptive_pool2d.cpp cpu/channel_rows.cpp cpu/concatenate.cpp cpu/gather.cpp cpu/group_norm.cpp cpu/reduce.cpp
    cpu/transpose.cpp cpu/log_softmax.cpp cpu/mean_absolute_error.cpp cpu/multiply.cpp cpu/rms_norm.cpp)
list(APPEND MILLRACE_CPU_KERNELS cpu/attention.cpp cpu/attention_backward.cpp cpu/cast.cpp cpu/column_sums.cpp
    cpu/conv_transpose2d.cpp cpu/gru.cpp cpu/lstm.cpp cpu/matmul.cpp
    cpu/product.cpp cpu/product_bf16.cpp cpu/recurrent.cpp cpu/rounded_factors.cpp)
# small products, a file for each instruction set; which one runs is chosen when the program starts
set(MILLRACE_BLOCK_PRODUCTS cpu/product_baseline.cpp)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  list(APPEND MILLRACE_BLOCK_PRODUCTS cpu/product_avx2.cpp cpu/product_avx512.cpp
       cpu/product_avx512_bf16.cpp)
endif()
millrace_library(NAME kernels SOURCES ${MILLRACE_CPU_KERNELS} ${MILLRACE_BLOCK_PRODUCTS} cpu/onednn.cpp
  USES base PRIVATE_LINKS $<TARGET_NAME_IF_EXISTS:OpenMP::OpenMP_CXX> ${MILLRACE_DNNL_LIBRARY})
target_compile_options(millrace_kernels PRIVATE -fopenmp-simd)
target_include_directories(millrace_kernels SYSTEM PRIVATE ${MILLRACE_DNNL_INCLUDE})
# nobody reads errno or the floating-point flags; without these two no loop with a square root or a choice is vectorised
set_source_files_properties(${MILLRACE_CPU_KERNELS} PROPERTIES COMPILE_OPTIONS "-fno-math-errno;-fno-trapping-math;-O3")
set(block_options "-fno-math-errno;-fno-trapping-math;-O3;-ffp-contract=fast")
set_source_files_properties(cpu/product_baseline.cpp PROPERTIES COMPILE_OPTIONS "${block_options}")
set_source_files_properties(cpu/product_avx2.cpp PROPERTIES COMPILE_OPTIONS "${block_options};-mavx2;-mfma")
set_source_files_properties(cpu/product_avx512.cpp PROPERTIES COMPILE_OPTIONS "${block_options};-mavx512f;-mfma")
set_source_files_properties(cpu/product_avx512_bf16.cpp PROPERTIES COMPILE_OPTIONS
  "${block_options};-mavx512f;-mavx512bw;-mavx512vl;-mavx512bf16;-mfma")
if("cpu/product_avx512.cpp" IN_LIST MILLRACE_BLOCK_PRODUCTS)
  set_property(SOURCE cpu/product.cpp cpu/product_bf16.cpp APPEND PROPERTY COMPILE_DEFINITIONS MILLRACE_X86_BLOCKS)
endif()
# vectors of channels are only passed to functions that are inlined
set_source_files_properties(cpu/winograd.cpp cpu/peak.cpp cpu/grey_conv.cpp PROPERTIES COMPILE_OPTIONS
  "-fno-math-errno;-fno-trapping-math;-O3;-ffp-contract=fast;-Wno-psabi")

# for tests alone
millrace_library(NAME kernels_reference SOURCES reference/activation.cpp reference/add.cpp reference/batch_norm.cpp
  reference/conv2d.cpp reference/cross_entropy.cpp reference/dense.cpp reference/dropout.cpp reference/embedding.cpp
  reference/mean_squared_error.cpp reference/optimizer.cpp reference/pool2d.cpp reference/position.cpp
  reference/softmax.cpp
  reference/binary_cross_entropy.cpp reference/huber.cpp reference/kl_divergence.cpp reference/layer_norm.cpp
  reference/adaptive_pool2d.cpp reference/concatenate.cpp reference/gather.cpp reference/group_norm.cpp
  reference/reduce.cpp reference/transpose.cpp reference/log_softmax.cpp reference/mean_absolute_error.cpp
  reference/multiply.cpp reference/rms_norm.cpp reference/attention.cpp
  reference/conv_transpose2d.cpp reference/gru.cpp reference/lstm.cpp reference/matmul.cpp
  reference/add_layer_norm.cpp reference/cast.cpp reference/sample.cpp
  USES base)
