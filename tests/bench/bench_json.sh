#!/usr/bin/env bash
# Passing over JSON, in GB/s.
set -euo pipefail
cd "$(dirname "$0")/../.."
cmake --build build/release --target bench_json >&2
build/release/tests/bench/bench_json
