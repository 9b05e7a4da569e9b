# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0

JOBS ?= $(shell nproc)
export JOBS
# Everything but `fuzz`, whose targets run for as long as one lets them.
PRESETS := default clang-all asan-all tsan-all

.PHONY: help run build build-cuda-all test test-all test-gpu gpu-bundle bench bench-gpu
.PHONY: quality quality-smoke clean

help:
	@echo "make run            install what is missing, build, run the example engine against sluiced"
	@echo "make test           install what is missing, build, run every test"
	@echo "make bench          benchmarks; PEERS=1 also installs PyTorch and measures it"
	@echo "make quality        what every policy costs in quality, over budgets; goes on where it was"
	@echo "make quality-smoke  a few cells of that, and what must hold of them"
	@echo "make build          install what is missing and build everything"
	@echo "make test-all       every test under: $(PRESETS), where asan-all also runs the"
	@echo "                    conformance suite over emulated blocks with ten seeds; then what"
	@echo "                    that suite says to faulty kernels; build-cuda-all where there is nvcc"
	@echo "make gpu-bundle     those tests and bench-gpu with all they load, for elsewhere: build/gpu-bundle"
	@echo "make test-gpu       the tests that need a GPU; skipped, with the reason, where there is none"
	@echo "make bench-gpu      the benchmark of a GPU; PYTHON: one whose PyTorch is measured beside it"
	@echo "make build-cuda-all compile the kernels for every architecture that releases are for"
	@echo "make clean          remove the build folder"
	@echo
	@echo "Figures are left in build/report/. Presets: cmake --list-presets=workflow"

run:
	@deploy/run-example

build:
	@deploy/bootstrap
	@deploy/build

test: build
	@ctest --preset default

test-all:
	@deploy/bootstrap --checks --peers
	@set -e; for preset in $(PRESETS); do \
	  echo "== $$preset"; \
	  PRESET=$$preset deploy/build; \
	  ctest --preset $$preset; \
	done
	@.venv/bin/python tests/kernels/device/seeded_faults.py build/default
	@if command -v nvcc >/dev/null; then $(MAKE) build-cuda-all; fi

GPU_RUN := build/default/tests/kernels/cuda/gpu_run

# gpu_run says what GPU there is, or why there is none and exits with 77.
test-gpu: build
	@if [ ! -x $(GPU_RUN) ]; then echo "skipped: this tree is built without CUDA"; \
	elif $(GPU_RUN); then ctest --preset default -L '^gpu$$'; \
	else [ $$? -eq 77 ]; fi

# What a machine with a GPU, but without Debian's packages, needs for the same and for bench-gpu.
gpu-bundle: build
	@if [ ! -x $(GPU_RUN) ]; then echo "skipped: this tree is built without CUDA"; \
	else deploy/gpu-bundle build/default build/gpu-bundle; fi

# sm_80, sm_89, sm_90a, sm_100f, sm_120f, and PTX for what comes later.
build-cuda-all:
	@PRESET=cuda-all deploy/build sluice_kernels_cuda
	@ctest --preset cuda-all

bench:
	@deploy/bootstrap $(if $(filter 1,$(PEERS)),--peers)
	@deploy/build
	@SLUICE_BUILD_DIR=build/default .venv/bin/python -u tests/bench/run_bench.py $(if $(filter 1,$(PEERS)),--peers)

GPU_BENCH := build/default/tests/bench/gpu/sluice_gpu_bench

bench-gpu: build
	@if [ ! -x $(GPU_BENCH) ]; then echo "skipped: this tree is built without CUDA"; \
	elif $(or $(PYTHON),.venv/bin/python) -u tests/bench/gpu/run_gpu_bench.py $(GPU_BENCH); then :; \
	else [ $$? -eq 77 ]; fi

quality quality-smoke: export SLUICED := $(CURDIR)/build/default/daemon/sluiced
quality quality-smoke: export OMP_NUM_THREADS := 1

# QUALITY: options of the run, such as QUALITY="--samples 10".
quality:
	@deploy/bootstrap
	@deploy/build sluiced
	@.venv/bin/python -u tests/quality/run_quality.py $(QUALITY)

quality-smoke:
	@deploy/bootstrap
	@deploy/build sluiced
	@.venv/bin/python -m pytest -q -p no:cacheprovider tests/quality/smoke_test.py

clean:
	rm -rf build
