# Run by `make test`. Each check: name, expected output (printf form), then the command.
failed=0
check() {
    name=$1
    expected=$(printf "$2"; echo .)
    shift 2
    actual=$("$@" 2>/dev/null; echo .)
    if [ "$actual" != "$expected" ]; then
        echo "FAILED: $name: expected <$expected>, got <$actual>"
        failed=1
    fi
}
fails() { # fails NAME CODE COMMAND...
    name=$1 code=$2
    shift 2
    "$@" >/dev/null 2>&1 </dev/null
    got=$?
    if [ "$got" != "$code" ]; then
        echo "FAILED: $name: expected exit code $code, got $got"
        failed=1
    fi
}

people=$(mktemp)
trap 'rm -f "$people"' EXIT
printf 'Kim:32:Oslo\nRobin:27:Bergen\nAlex\n' >"$people"

check "one column" '32\n27\n\n' ./columns -d : -f 2 "$people"
check "the first" 'Kim\nRobin\nAlex\n' ./columns -d : -f 1 "$people"
check "no such column" '\n\n\n' ./columns -d : -f 9 "$people"
check "standard input" 'b\n' sh -c "printf 'a\tb\n' | ./columns -f 2"
check "no newline at the end" 'b\n' sh -c "printf 'a b' | ./columns -d ' ' -f 2"
fails "no column asked for" 2 ./columns
fails "column 0" 2 ./columns -f 0
fails "no number" 2 ./columns -f x
fails "a long delimiter" 2 ./columns -d ab -f 1
fails "no such file" 1 ./columns -f 1 /nonexistent
[ "$failed" = 0 ] && echo "all passed"
exit "$failed"
