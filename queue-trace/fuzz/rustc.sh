#!/bin/sh
# Cargo's RUSTC_WORKSPACE_WRAPPER in a build of the fuzz targets: our own crates tell the fuzzer which code ran.
# The dependencies do not, and so are those that `cargo test` has built. What runs while building has no fuzzer.
case " $* " in
*" build_script_"*) exec "$@" ;;
esac
exec "$@" -Copt-level=1 -Cdebuginfo=0 \
    -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares
