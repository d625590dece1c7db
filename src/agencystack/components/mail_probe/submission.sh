# Look for a submission server from inside an application that has only openssl: prints what s_client says of each way,
# between marks; it is read on our side. Arguments: mark, host, ways, CA file or nothing, seconds.
mark=$1 host=$2 ways=$3 ca_file=$4 seconds=$5
# A second of each try is spent on waiting for the greeting.
limit=$(command -v timeout) && limit="$limit $((${seconds%%.*} + 1))"
for way in $(echo "$ways" | tr , ' '); do
    port=${way%%:*} security=${way#*:}
    echo "${mark}OPENSSL $port $security"
    set -- -connect "$host:$port" -servername "$host" -verify_hostname "$host" -showcerts -crlf -ign_eof
    case $host in *[!0-9.]*) ;; *) set -- -connect "$host:$port" -verify_ip "$host" -showcerts -crlf -ign_eof ;; esac
    [ "$security" = starttls ] && set -- "$@" -starttls smtp
    [ -n "$ca_file" ] && set -- "$@" -CAfile "$ca_file"
    { sleep 1; printf 'EHLO probe\nQUIT\n'; } | $limit openssl s_client "$@" 2>&1
    echo "PROBE-EXIT $?"
done
