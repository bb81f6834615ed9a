#!/bin/sh
# Runs the unit tests of a build folder: run.sh BUILD [NAME]; closes with one line of counts.
build=$1
only=$2
passed=0
failed=0
for t in "$build"/tests/unit/test_*; do
    case $t in *.o | *.d) continue ;; esac
    [ -n "$only" ] && [ "$(basename "$t")" != "test_$only" ] && continue
    out=$("$t" 2>&1)
    rc=$?
    n=$(printf '%s\n' "$out" | grep -c '\[       OK \]')
    f=$(printf '%s\n' "$out" | grep -c '^\[  FAILED  \] [a-z]')
    [ $rc -ne 0 ] && [ "$f" -eq 0 ] && f=1
    passed=$((passed + n))
    failed=$((failed + f))
    if [ $rc -ne 0 ]; then
        printf '%s\n' "$out" | grep -v -e '^\[ RUN' -e '^\[       OK'
        printf 'FAILED %s\n' "$t"
    fi
done
printf 'unit: %d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
