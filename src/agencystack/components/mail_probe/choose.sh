# Run the probe with the first interpreter that can speak TLS. Filled in with the programs, each quoted for the shell.
if command -v python3 >/dev/null 2>&1 && python3 -c 'import ssl' </dev/null 2>/dev/null; then
    printf '%s' @PYTHON@ | python3 - "$@"
elif command -v php >/dev/null 2>&1 && php -r 'exit(extension_loaded("openssl") ? 0 : 1);' </dev/null 2>/dev/null; then
    printf '%s' @PHP@ | php -- "$@"
elif command -v ruby >/dev/null 2>&1 && ruby -ropenssl -e '' </dev/null 2>/dev/null; then
    printf '%s' @RUBY@ | ruby - "$@"
elif command -v openssl >/dev/null 2>&1; then
    printf '%s' @SHELL@ | sh -s -- "$@"
else
    echo "${1}NONE"
fi
