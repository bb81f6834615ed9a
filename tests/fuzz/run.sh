#!/bin/sh
# Runs each fuzzer for FUZZ_SECONDS (further options in FUZZ_ARGS): run.sh BUILD [NAME]. New inputs stay in BUILD/corpus.
build=$1
only=$2
failed=0
passed=0
for f in "$build"/tests/fuzz/fuzz_*; do
    name=$(basename "$f")
    [ -n "$only" ] && [ "$name" != "fuzz_$only" ] && continue
    corpus=$build/corpus/$name
    mkdir -p "$corpus"
    seeds=tests/fuzz/seeds/${name#fuzz_}
    [ -d "$seeds" ] || seeds=
    # shellcheck disable=SC2086
    if "$f" -max_total_time="${FUZZ_SECONDS:-60}" ${FUZZ_ARGS:-} -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 \
        -artifact_prefix="$build/corpus/$name-" "$corpus" $seeds >"$build/corpus/$name.log" 2>&1; then
        passed=$((passed + 1))
        printf '%s: %s\n' "$name" "$(sed -n 's/^stat::number_of_executed_units: */inputs tried: /p' "$build/corpus/$name.log")"
    else
        failed=$((failed + 1))
        tail -20 "$build/corpus/$name.log"
    fi
done
printf 'fuzz: %d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
