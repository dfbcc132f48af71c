#!/bin/sh
# Valkey that forgets: what was erased leaves its append-only file at the start and before the end; while it runs, the
# web process sees to it (docs/operating.md). Runs in the folder of its data, as the image's own entry point does.
set -eu
umask 077
server=${VALKEY_SERVER:-valkey-server} ask=${VALKEY_CLI:-valkey-cli}

# What a server that was killed left half written; no later one looks at it.
rm -f temp-* appendonlydir/temp-*
if ls appendonlydir/*.manifest >/dev/null 2>&1; then
    for file in appendonlydir/*.aof appendonlydir/*.rdb; do
        grep -qsF "file $(basename "$file") " appendonlydir/*.manifest || rm -f "$file"
    done
fi
chmod 700 . appendonlydir 2>/dev/null || true
chmod 600 appendonlydir/* 2>/dev/null || true

"$server" --dir . --appendonly yes --appendfsync everysec --save "" --maxmemory-policy noeviction "$@" &
pid=$!

rewritten() {
    while "$ask" info persistence | grep -q "^aof_rewrite_\(in_progress\|scheduled\):1"; do sleep 0.1; done
}
forget() {
    rewritten  # one that is under way began before the last deletions
    "$ask" bgrewriteaof >/dev/null 2>&1 || return 0
    rewritten
}
stop() {
    forget
    kill -TERM "$pid" 2>/dev/null || true
}
trap stop TERM INT

until [ "$("$ask" ping 2>/dev/null)" = PONG ]; do
    kill -0 "$pid" 2>/dev/null || wait "$pid"
    sleep 0.1
done
forget
status=0
wait "$pid" || status=$?  # a signal ends this wait, not the server
while kill -0 "$pid" 2>/dev/null; do
    status=0
    wait "$pid" || status=$?
done
exit "$status"
