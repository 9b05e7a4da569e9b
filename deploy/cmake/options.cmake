# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#
# Language, optimisation, warnings and sanitizers: what holds for every target.

get_property(is_multi_config GLOBAL PROPERTY GENERATOR_IS_MULTI_CONFIG)
if(NOT is_multi_config AND NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g -DNDEBUG")

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

# Makes the target all_verify_interface_header_sets, which a style test builds.
set(CMAKE_VERIFY_INTERFACE_HEADER_SETS ON)

find_program(SLUICE_CCACHE ccache)
mark_as_advanced(SLUICE_CCACHE)
if(SLUICE_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # Otherwise it takes nothing that was compiled with precompiled headers.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
    CCACHE_SLOPPINESS=pch_defines,time_macros ${SLUICE_CCACHE})
  set(CMAKE_CUDA_COMPILER_LAUNCHER ${SLUICE_CCACHE})
endif()

# Highway 1.0.3 disables its SSE4 target when the baseline is older than v2.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-march=x86-64-v2>)
endif()

if(SLUICE_SANITIZE STREQUAL "address")
  set(sanitize -fsanitize=address,undefined -fno-sanitize-recover=all)
elseif(SLUICE_SANITIZE STREQUAL "thread")
  set(sanitize -fsanitize=thread)
elseif(NOT SLUICE_SANITIZE STREQUAL "none")
  message(FATAL_ERROR "SLUICE_SANITIZE must be none, address or thread, got ${SLUICE_SANITIZE}")
endif()
# Checks of which ASan finds most, and which cost the compiler much over vector code (four times
# as long) and over tests (a quarter more).
set(SLUICE_WITHOUT_COSTLY_CHECKS "")
if(SLUICE_SANITIZE STREQUAL "address")
  set(SLUICE_WITHOUT_COSTLY_CHECKS -fno-sanitize=null,object-size,vptr,pointer-overflow)
endif()
if(sanitize)
  add_compile_options(
    "$<$<COMPILE_LANGUAGE:CXX>:${sanitize};-fno-omit-frame-pointer;-g1>")
  add_link_options(${sanitize})
  # Failure injection is for test builds only.
  add_compile_definitions(SLUICE_FAILPOINTS=1)
endif()

if(SLUICE_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    message(FATAL_ERROR "SLUICE_FUZZ needs clang; use the preset fuzz")
  endif()
  # A minute of fuzzing is not worth minutes of optimisation.
  set(CMAKE_CXX_FLAGS_RELEASE "-O0 -DNDEBUG")
  # Coverage for every target; only the fuzz targets link libFuzzer's main.
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-fsanitize=fuzzer-no-link>)
endif()

# CUDA is looked for only where there is something to compile with it.
set(SLUICE_CUDA_FOUND OFF)
if(NOT SLUICE_CUDA STREQUAL "OFF" AND EXISTS ${PROJECT_SOURCE_DIR}/kernels/cuda/CMakeLists.txt)
  include(CheckLanguage)
  check_language(CUDA)
  if(CMAKE_CUDA_COMPILER)
    set(CMAKE_CUDA_ARCHITECTURES OFF)  # sluice_cuda_options does it: CMake 3.25 knows no 100f
    set(CMAKE_CUDA_STANDARD 17)  # CMake 3.25 knows no later one for nvcc 13
    set(CMAKE_CUDA_STANDARD_REQUIRED ON)
    enable_language(CUDA)
    find_package(CUDAToolkit REQUIRED)
    set(SLUICE_CUDA_FOUND ON)
  elseif(SLUICE_CUDA STREQUAL "ON")
    message(FATAL_ERROR "SLUICE_CUDA is ON, but there is no nvcc on the PATH")
  else()
    message(NOTICE "[build] without CUDA: there is no nvcc on the PATH")
  endif()
endif()

# Warnings are a list for targets, so that generated code can do without.
set(SLUICE_WARNINGS -Wall -Wextra -Wconversion -Wno-sign-conversion -Werror)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  list(APPEND SLUICE_WARNINGS -Wthread-safety)
endif()
