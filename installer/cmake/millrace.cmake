# How every target of Millrace is made: one function for libraries, one for programs, one for tests.
# The table of modules in the design is enforced by tests/architecture; USES is what a target links.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()

# ccache where it is installed; the sloppiness is what it needs to cache with precompiled headers
find_program(MILLRACE_CCACHE ccache)
if(MILLRACE_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros ${MILLRACE_CCACHE})
endif()

find_package(Threads REQUIRED)
find_package(nlohmann_json 3.11 REQUIRED)
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
find_package(ZLIB REQUIRED)
find_package(PNG REQUIRED)
find_package(JPEG REQUIRED)
if(MILLRACE_WINDOW OR MILLRACE_TESTS)
  set(CMAKE_AUTOMOC OFF)
  find_package(Qt6 6.4 REQUIRED COMPONENTS Core)
endif()
if(MILLRACE_TESTS)
  find_package(Qt6 6.4 REQUIRED COMPONENTS Test)
endif()
if(MILLRACE_WINDOW)
  find_package(Qt6 6.4 REQUIRED COMPONENTS Gui Widgets Svg PrintSupport LinguistTools)
endif()

add_library(millrace_options INTERFACE)
# g++ 12 reports overlaps in std::string's own code that are none (GCC bug 105651)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(millrace_options INTERFACE -Wno-restrict)
endif()
target_compile_options(millrace_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion
                       $<$<BOOL:${MILLRACE_WERROR}>:-Werror> -fno-fast-math -ffp-contract=off)
target_compile_definitions(millrace_options INTERFACE MILLRACE_VERSION="${PROJECT_VERSION}")
target_include_directories(millrace_options INTERFACE ${CMAKE_SOURCE_DIR})
if(MILLRACE_SANITIZE)
  target_compile_options(millrace_options INTERFACE -fsanitize=${MILLRACE_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(millrace_options INTERFACE -fsanitize=${MILLRACE_SANITIZE})
endif()
if(MILLRACE_FUZZ)
  target_compile_options(millrace_options INTERFACE -fsanitize=fuzzer-no-link)
endif()

# the Qt rules of the house, for every target that uses Qt
add_library(millrace_qt_options INTERFACE)
target_compile_definitions(millrace_qt_options INTERFACE QT_NO_CAST_FROM_ASCII QT_NO_CAST_TO_ASCII)

# millrace_library(NAME base SOURCES a.cpp … USES other … LINKS third::party … [PRIVATE_LINKS …] [QT])
# makes the static library millrace_<name> in the current folder.
function(millrace_library)
  cmake_parse_arguments(ARG "QT" "NAME" "SOURCES;USES;LINKS;PRIVATE_LINKS" ${ARGN})
  set(target millrace_${ARG_NAME})
  add_library(${target} STATIC ${ARG_SOURCES})
  list(TRANSFORM ARG_USES PREPEND millrace_)
  target_link_libraries(${target} PUBLIC millrace_options ${ARG_USES} ${ARG_LINKS} PRIVATE ${ARG_PRIVATE_LINKS})
  if(ARG_QT)
    target_link_libraries(${target} PUBLIC millrace_qt_options)
    set_target_properties(${target} PROPERTIES AUTOMOC ON)
  endif()
endfunction()

# millrace_test(NAME storage_runs SOURCES runs_test.cpp USES storage … [LINKS …] LABELS quick [TIMEOUT 60] [QT] [ENVIRONMENT A=b])
# makes the test program test_<name> (Qt Test) and the CTest case of the same name.
# MILLRACE_SOURCE_DIR, MILLRACE_BINARY_DIR and MILLRACE_TEST_DATA are defined for it.
function(millrace_test)
  cmake_parse_arguments(ARG "QT" "NAME;TIMEOUT" "SOURCES;USES;LINKS;LABELS;ENVIRONMENT" ${ARGN})
  if(NOT MILLRACE_TESTS)
    return()
  endif()
  set(target test_${ARG_NAME})
  add_executable(${target} ${ARG_SOURCES})
  list(TRANSFORM ARG_USES PREPEND millrace_)
  target_link_libraries(${target} PRIVATE millrace_options millrace_qt_options ${ARG_USES} ${ARG_LINKS} Qt6::Test)
  target_compile_definitions(${target} PRIVATE MILLRACE_SOURCE_DIR="${CMAKE_SOURCE_DIR}"
    MILLRACE_BINARY_DIR="${CMAKE_BINARY_DIR}" MILLRACE_TEST_DATA="${CMAKE_CURRENT_SOURCE_DIR}")
  set_target_properties(${target} PROPERTIES AUTOMOC ON RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  add_test(NAME ${ARG_NAME} COMMAND ${target})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  set_tests_properties(${ARG_NAME} PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT ${ARG_TIMEOUT}
    ENVIRONMENT "QT_QPA_PLATFORM=offscreen;${ARG_ENVIRONMENT}")
endfunction()

# millrace_fuzz(NAME csv SOURCES csv_fuzz.cpp USES data …): a libFuzzer program fuzz_<name>,
# seeded from the folder corpus/<name> beside it; run for half a minute under the label `full`.
function(millrace_fuzz)
  cmake_parse_arguments(ARG "" "NAME" "SOURCES;USES" ${ARGN})
  if(NOT MILLRACE_FUZZ)
    return()
  endif()
  set(target fuzz_${ARG_NAME})
  add_executable(${target} ${ARG_SOURCES})
  list(TRANSFORM ARG_USES PREPEND millrace_)
  target_link_libraries(${target} PRIVATE millrace_options ${ARG_USES})
  target_link_options(${target} PRIVATE -fsanitize=fuzzer)
  set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz)
  file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz/corpus_${ARG_NAME})
  add_test(NAME fuzz_${ARG_NAME} COMMAND ${target} -max_total_time=30 -timeout=5 -rss_limit_mb=1024 -print_final_stats=1
           -artifact_prefix=${CMAKE_BINARY_DIR}/fuzz/${ARG_NAME}-
           ${CMAKE_BINARY_DIR}/fuzz/corpus_${ARG_NAME} ${CMAKE_CURRENT_SOURCE_DIR}/corpus/${ARG_NAME})
  set_tests_properties(fuzz_${ARG_NAME} PROPERTIES LABELS full TIMEOUT 180)
endfunction()
