# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#
# The helpers with which every folder declares its targets.

# sluice_add_folders(<folder>...): adds those that have a CMakeLists.txt.
function(sluice_add_folders)
  foreach(folder IN LISTS ARGN)
    if(EXISTS ${PROJECT_SOURCE_DIR}/${folder}/CMakeLists.txt)
      add_subdirectory(${PROJECT_SOURCE_DIR}/${folder} ${PROJECT_BINARY_DIR}/${folder})
    endif()
  endforeach()
endfunction()

function(sluice_set_warnings target)
  target_compile_options(${target} PRIVATE "$<$<COMPILE_LANGUAGE:CXX>:${SLUICE_WARNINGS}>")
endfunction()

# sluice_precompile(<target> library|test|optimized_test|rpc_test)
#
# Compiles the headers that most sources include once for all targets of a kind: each kind
# has compiler options of its own.
function(sluice_precompile target kind)
  set(owner sluice_${kind}_headers)
  if(NOT TARGET ${owner})
    set(source ${PROJECT_BINARY_DIR}/${owner}.cc)
    file(CONFIGURE OUTPUT ${source} CONTENT "")
    set(headers <algorithm> <atomic> <cmath> <cstdint> <cstring> <deque> <functional> <limits>
      <memory> <numeric> <optional> <random> <span> <string> <thread> <utility> <variant> <vector>
      <absl/container/flat_hash_map.h> <absl/container/flat_hash_set.h> <absl/status/statusor.h>
      <absl/strings/cord.h> <absl/strings/str_cat.h> <absl/time/time.h>)
    if(kind STREQUAL "library")
      add_library(${owner} OBJECT ${source})
    else()
      add_executable(${owner} ${source})
      target_link_libraries(${owner} PRIVATE GTest::gmock_main)
      target_compile_options(${owner} PRIVATE
        "$<$<COMPILE_LANGUAGE:CXX>:${SLUICE_WITHOUT_COSTLY_CHECKS}>")
      list(APPEND headers <gmock/gmock.h> <gtest/gtest.h>)
    endif()
    if(kind MATCHES "^(test|rpc_test)$")
      target_compile_options(${owner} PRIVATE -O0)
    endif()
    if(kind STREQUAL "rpc_test")
      target_link_libraries(${owner} PRIVATE sluice_proto)
      list(APPEND headers <grpcpp/grpcpp.h> <sluice/v1/admin.grpc.pb.h>
        <sluice/v1/kv_cache.grpc.pb.h>)
    endif()
    target_link_libraries(${owner} PRIVATE absl::flat_hash_map absl::statusor)
    target_include_directories(${owner} PRIVATE ${PROJECT_SOURCE_DIR})
    sluice_set_warnings(${owner})
    target_precompile_headers(${owner} PRIVATE ${headers})
  endif()
  target_precompile_headers(${target} REUSE_FROM ${owner})
endfunction()

# Whether the targets of this folder are linked with gRPC, whose options differ.
function(sluice_is_rpc_folder result)
  cmake_path(RELATIVE_PATH CMAKE_CURRENT_SOURCE_DIR BASE_DIRECTORY ${PROJECT_SOURCE_DIR}
    OUTPUT_VARIABLE folder)
  if(folder MATCHES "^(tests/)?(client/|daemon/rpc$|daemon/server$|fuzz$)")
    set(${result} ON PARENT_SCOPE)
  else()
    set(${result} OFF PARENT_SCOPE)
  endif()
endfunction()

# sluice_library(<target> [SRCS ..] [HDRS ..] [DEPS ..] [PRIVATE_DEPS ..] [GENERATED])
#
# A static library, or an interface one where there are no sources. Includes are
# written from the repository root. Each header in HDRS must compile by itself (tests/style
# checks that all are listed): one with a source of its name does so in that source, which
# includes it first (tests/style checks that too), the others are verified. GENERATED: sources
# not written by us, which are compiled without warnings.
function(sluice_library target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "GENERATED" "" "SRCS;HDRS;DEPS;PRIVATE_DEPS")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "sluice_library(${target}): unknown ${arg_UNPARSED_ARGUMENTS}")
  endif()
  # Parts of a translation unit (foreach_target, nvcc) do not compile by themselves.
  set(headers ${arg_HDRS})
  list(FILTER headers EXCLUDE REGEX "(-inl\\.h|\\.cuh)$")
  if(arg_SRCS)
    add_library(${target} STATIC ${arg_SRCS})
    target_include_directories(${target} PUBLIC ${PROJECT_SOURCE_DIR})
    target_link_libraries(${target} PUBLIC ${arg_DEPS} PRIVATE ${arg_PRIVATE_DEPS})
    if(arg_GENERATED)
      target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-w>)
      return()
    endif()
    sluice_set_warnings(${target})
    foreach(source IN LISTS arg_SRCS)
      string(REGEX REPLACE "\\.cc$" ".h" header ${source})
      list(REMOVE_ITEM headers ${header})
    endforeach()
    # What is precompiled hides what a header lacks. Showing that is the part of g++.
    sluice_is_rpc_folder(is_rpc)
    if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang" AND NOT is_rpc)
      sluice_precompile(${target} library)
    endif()
    target_sources(${target} PUBLIC FILE_SET HEADERS
      BASE_DIRS ${PROJECT_SOURCE_DIR} FILES ${headers})
  else()
    add_library(${target} INTERFACE)
    target_sources(${target} INTERFACE FILE_SET HEADERS
      BASE_DIRS ${PROJECT_SOURCE_DIR} FILES ${headers})
    target_include_directories(${target} INTERFACE ${PROJECT_SOURCE_DIR})
    target_link_libraries(${target} INTERFACE ${arg_DEPS})
  endif()
endfunction()

# sluice_executable(<target> SRCS .. [DEPS ..])
function(sluice_executable target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SRCS;DEPS")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "sluice_executable(${target}): unknown ${arg_UNPARSED_ARGUMENTS}")
  endif()
  add_executable(${target} ${arg_SRCS})
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(${target} PRIVATE ${arg_DEPS})
  sluice_set_warnings(${target})
endfunction()

# sluice_cuda_options(<target>): how a target's .cu files are compiled. Products and sums are
# not contracted: what is stored has the same bits as the CPU's; fmaf is there for the rest.
# SLUICE_CUDA_ARCHITECTURES: 80 (code and PTX), 80-real (code) or 80-virtual (PTX).
function(sluice_cuda_options target)
  set(options -Xptxas=-v --fmad=false --Werror=all-warnings -Xcompiler=-Wall,-Wextra)
  foreach(entry IN LISTS SLUICE_CUDA_ARCHITECTURES)
    if(NOT entry MATCHES "^([0-9]+[af]?)(-real|-virtual)?$")
      message(FATAL_ERROR "SLUICE_CUDA_ARCHITECTURES: ${entry} is none")
    endif()
    set(codes compute_${CMAKE_MATCH_1},sm_${CMAKE_MATCH_1})
    if(CMAKE_MATCH_2 STREQUAL "-real")
      set(codes sm_${CMAKE_MATCH_1})
    elseif(CMAKE_MATCH_2 STREQUAL "-virtual")
      set(codes compute_${CMAKE_MATCH_1})
    endif()
    list(APPEND options "--generate-code=arch=compute_${CMAKE_MATCH_1},code=[${codes}]")
  endforeach()
  target_compile_options(${target} PRIVATE "$<$<COMPILE_LANGUAGE:CUDA>:${options}>")
  set_target_properties(${target} PROPERTIES CUDA_COMPILER_LAUNCHER
    "${PROJECT_SOURCE_DIR}/kernels/cuda/note_resources;${CMAKE_CUDA_COMPILER_LAUNCHER}")
endfunction()

# Gives a test its labels (default: unit), a time limit in seconds (default 120;
# sanitizers get three times as long) and environment (NAME=value ..).
function(sluice_set_test_properties name labels timeout env)
  if(NOT labels)
    set(labels unit)
  endif()
  if(NOT timeout)
    set(timeout 120)
  endif()
  if(NOT SLUICE_SANITIZE STREQUAL "none")
    math(EXPR timeout "3 * ${timeout}")
  endif()
  set_tests_properties(${name} PROPERTIES LABELS "${labels}" TIMEOUT ${timeout}
    SKIP_RETURN_CODE 77)
  if(env)
    set_tests_properties(${name} PROPERTIES ENVIRONMENT "${env}")
  endif()
endfunction()

# sluice_test(<name> SRCS .. [DEPS ..] [LABELS ..] [TIMEOUT seconds] [ENV NAME=value ..]
#             [OPTIMIZED])
#
# A GoogleTest binary (with GoogleMock and a main) and one ctest entry for it. Its own
# sources are compiled without optimisation, since they are most of a build; OPTIMIZED is
# for tests that compute much themselves.
function(sluice_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "OPTIMIZED" "TIMEOUT" "SRCS;DEPS;LABELS;ENV")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "sluice_test(${name}): unknown ${arg_UNPARSED_ARGUMENTS}")
  endif()
  sluice_executable(${name} SRCS ${arg_SRCS} DEPS ${arg_DEPS} GTest::gmock_main Threads::Threads)
  target_compile_options(${name} PRIVATE
    "$<$<COMPILE_LANGUAGE:CXX>:${SLUICE_WITHOUT_COSTLY_CHECKS}>")
  sluice_is_rpc_folder(is_rpc)
  if(arg_OPTIMIZED)
    sluice_precompile(${name} optimized_test)
  else()
    target_compile_options(${name} PRIVATE -O0)
    if(is_rpc)
      sluice_precompile(${name} rpc_test)
    else()
      sluice_precompile(${name} test)
    endif()
  endif()
  add_test(NAME ${name} COMMAND ${name} --gtest_brief=1)
  sluice_set_test_properties(${name} "${arg_LABELS}" "${arg_TIMEOUT}" "${arg_ENV}")
endfunction()

# sluice_gpu_test(<name> [BINARY target] [WRAPPER script] [ARGS ..] [TIMEOUT seconds]): an entry
# of ctest labelled gpu that runs a binary, that of sluice_test(<name>_test) by default, where
# there is a GPU, and is skipped where there is none. WRAPPER: what runs the binary. Tests that
# have the GPU, the binary's own entry too, run one at a time: some take all of its memory.
function(sluice_gpu_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "BINARY;WRAPPER;TIMEOUT" "ARGS")
  if(NOT arg_BINARY)
    set(arg_BINARY ${name}_test)
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 600)
  endif()
  add_test(NAME ${name}_gpu
    COMMAND gpu_run ${arg_WRAPPER} $<TARGET_FILE:${arg_BINARY}> ${arg_ARGS})
  sluice_set_test_properties(${name}_gpu gpu ${arg_TIMEOUT} "")
  set_tests_properties(${name}_gpu PROPERTIES RESOURCE_LOCK gpu)
  if(TEST ${arg_BINARY})
    set_tests_properties(${arg_BINARY} PROPERTIES RESOURCE_LOCK gpu)
  endif()
endfunction()

# The checkout's virtual environment where deploy/bootstrap has made it.
set(SLUICE_PYTHON ${PROJECT_SOURCE_DIR}/.venv/bin/python)
if(NOT EXISTS ${SLUICE_PYTHON})
  find_program(SLUICE_SYSTEM_PYTHON python3 REQUIRED)
  set(SLUICE_PYTHON ${SLUICE_SYSTEM_PYTHON})
endif()

# sluice_python_test(<name> SCRIPT file.py [PYTEST] [ARGS ..] [LABELS ..] [TIMEOUT s] [ENV ..])
#
# Runs a Python file from the repository root; with PYTEST under pytest.
function(sluice_python_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "PYTEST" "SCRIPT;TIMEOUT" "ARGS;LABELS;ENV")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "sluice_python_test(${name}): unknown ${arg_UNPARSED_ARGUMENTS}")
  endif()
  cmake_path(ABSOLUTE_PATH arg_SCRIPT BASE_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
  set(module "")
  if(arg_PYTEST)
    set(module -m pytest -q -p no:cacheprovider)
  endif()
  add_test(NAME ${name} COMMAND ${SLUICE_PYTHON} ${module} ${arg_SCRIPT} ${arg_ARGS}
    WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  sluice_set_test_properties(${name} "${arg_LABELS}" "${arg_TIMEOUT}" "${arg_ENV}")
endfunction()

# sluice_fuzz_target(<target> SRCS .. [DEPS ..] [CORPUS folder])
#
# A libFuzzer binary and a ctest entry that runs it for a minute, from the files
# in CORPUS where given; nothing without SLUICE_FUZZ.
function(sluice_fuzz_target target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "CORPUS" "SRCS;DEPS")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "sluice_fuzz_target(${target}): unknown ${arg_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT SLUICE_FUZZ)
    return()
  endif()
  sluice_executable(${target} SRCS ${arg_SRCS} DEPS ${arg_DEPS})
  target_link_options(${target} PRIVATE -fsanitize=fuzzer)
  add_dependencies(sluice_fuzz_targets ${target})
  set(found ${CMAKE_CURRENT_BINARY_DIR}/${target}_corpus)
  file(MAKE_DIRECTORY ${found})
  set(corpus ${found})
  if(arg_CORPUS)
    cmake_path(ABSOLUTE_PATH arg_CORPUS BASE_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
    list(APPEND corpus ${arg_CORPUS})
  endif()
  add_test(NAME ${target}
    COMMAND ${target} -max_total_time=60 -timeout=10 -print_final_stats=1 ${corpus})
  sluice_set_test_properties(${target} fuzz 180 "")
endfunction()
