# Finds what the CUDA module is made of. Sets MILLRACE_HAS_CUDA, and the targets that it links.

set(MILLRACE_HAS_CUDA OFF)
# libFuzzer and the sanitizers are clang's and g++'s: the module is not built with them
if(NOT MILLRACE_CUDA OR MILLRACE_FUZZ OR MILLRACE_SANITIZE)
  return()
endif()

include(CheckLanguage)
if(NOT CMAKE_CUDA_COMPILER)
  find_program(MILLRACE_NVCC nvcc HINTS /usr/local/cuda/bin)
  if(MILLRACE_NVCC)
    set(CMAKE_CUDA_COMPILER ${MILLRACE_NVCC})
  endif()
endif()
check_language(CUDA)
find_package(CUDAToolkit 12.8 QUIET)
find_path(MILLRACE_CUDNN_INCLUDE cudnn_graph.h HINTS ${CUDAToolkit_INCLUDE_DIRS} ENV CUDNN_PATH PATH_SUFFIXES include)
find_library(MILLRACE_CUDNN_LIBRARY NAMES cudnn libcudnn.so.9 HINTS ${CUDAToolkit_LIBRARY_DIR} ENV CUDNN_PATH
             PATH_SUFFIXES lib lib64)
if(NOT CMAKE_CUDA_COMPILER OR NOT CUDAToolkit_FOUND OR NOT TARGET CUDA::cublasLt OR NOT MILLRACE_CUDNN_INCLUDE
   OR NOT MILLRACE_CUDNN_LIBRARY)
  message(STATUS "CUDA module: not built (it needs nvcc and cuBLASLt of CUDA 12.8 or newer, and cuDNN 9)")
  return()
endif()

# machine code for Ampere's and Hopper's data centre chips, and what the driver translates for newer ones
if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
  set(CMAKE_CUDA_ARCHITECTURES 80-real 90)
endif()
if(MILLRACE_CCACHE AND NOT CMAKE_CUDA_COMPILER_LAUNCHER)
  set(CMAKE_CUDA_COMPILER_LAUNCHER ${MILLRACE_CCACHE})
endif()
enable_language(CUDA)
# CMake 3.25 does not know that nvcc speaks C++20, which CUDA sources take over from CMAKE_CXX_STANDARD
if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)
  set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
  set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION -std=c++20)
  list(APPEND CMAKE_CUDA_COMPILE_FEATURES cuda_std_20)
endif()
set(MILLRACE_HAS_CUDA ON)
message(STATUS "CUDA module: nvcc ${CMAKE_CUDA_COMPILER_VERSION} for ${CMAKE_CUDA_ARCHITECTURES}")
