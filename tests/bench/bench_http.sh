#!/bin/bash
# Requests a second and processor time of the HTTP server beside nginx (when it is installed).
set -e
cd "$(dirname "$0")/../.."
cmake --preset release >/dev/null
cmake --build --preset release --target bench_http >/dev/null
PATH=$PATH:/usr/sbin build/release/tests/bench/bench_http "$@"
