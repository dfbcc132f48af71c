#!/bin/sh
# Protect one photo with curl alone: send it, wait, download what came of it, leave nothing behind.
#
#   DIFFAM_SERVER=https://photos.example.org DIFFAM_API_KEY=... protect.sh me.jpg everyday me-protected.jpg
#
# The result has the format that its name ends in. Needs curl 7.84 (2022) or newer.
set -eu

server=${DIFFAM_SERVER:-http://127.0.0.1:8000}

fail() {
    echo "protect.sh: $*" >&2
    exit 1
}

# curl with the key, which stands in a file: what is an argument, everybody on this machine may read.
# "Too many" and "not now" are asked again, as soon as the service says.
ask() {
    curl --config "$work/key" --silent --show-error --retry 5 --output "$work/answer" "$@" ||
        fail "no answer from $server (\`diffam up\` starts a service on this machine)"
}

# What the service says is wrong: the sentence of its problem document, or whatever else came.
told() {
    sed -E 's/"errors":.*//; s/.*"detail":"(([^"\\]|\\.)*)".*/\1/' "$work/answer"
}

# However this ends, the service keeps nothing; a job that still runs is stopped by it.
leave() {
    status=$?
    case $(ask --request DELETE --write-out '%{http_code}' "$job" 2>/dev/null) in
        204 | 404) ;; # 404: it never came to be
        *) echo "protect.sh: could not erase $job; what is left of it expires by itself" >&2 ;;
    esac
    rm -rf "$work"
    exit "$status"
}

[ $# -eq 3 ] || fail "usage: protect.sh PHOTO LOOK OUT"
photo=$1 look=$2 out=$3
[ -f "$photo" ] || fail "no such photo: $photo"
[ ! -e "$out" ] || fail "$out is there already, and stays as it is"
case $out in
    *.png) format=png ;;
    *.jpg | *.jpeg) format=jpeg ;;
    *.webp) format=webp ;;
    *) fail "OUT must end in .png, .jpg or .webp, not as $out" ;;
esac

# Drawn here, not there: sent again after a lost answer, it makes no second job, and it can always be erased.
job=$server/v1/jobs/$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
work=$(mktemp -d)
trap leave EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
printf '%s\n' "${DIFFAM_API_KEY:+header = \"Authorization: Bearer $DIFFAM_API_KEY\"}" >"$work/key"
cp -- "$photo" "$work/photo" # under a name that no form misreads, and that tells nobody anything

code=$(ask --request PUT --header 'Prefer: wait=30' --form "photo=@$work/photo" --form-string "reference_id=$look" \
    --form "output_format=$format" --write-out '%{http_code}' "$job")
case $code in
    200 | 202) ;;
    *) fail "refused ($code): $(told)" ;;
esac

while :; do # until its result is there
    answer=$(ask --write-out '%{http_code} %header{retry-after}' "$job/result")
    case $answer in
        '200 ') break ;;
        '409 ') fail "$(told)" ;; # the job is over, and came to nothing
        '409 '*) sleep "${answer#* }" ;;
        *) fail "no result (${answer% *}): $(told)" ;;
    esac
done
mv -- "$work/answer" "$out"
echo "$out"
