#!/usr/bin/env bash
# Brings the cluster of docker-compose.yml up on a real engine and uses it: put, run a job, kill a container, get, down.
# Not part of `npm test`: it needs a Docker engine and docker compose. Usage: npm run test:docker
set -euo pipefail
cd "$(dirname "$0")/../.."

if ! docker info >/dev/null 2>&1; then
  echo "test:docker: no Docker engine answers; start one (on Debian: apt-get install docker.io docker-compose) and try again" >&2
  exit 1
fi
if docker compose version >/dev/null 2>&1; then compose=(docker compose); else compose=(docker-compose); fi
compose+=(--project-name "gristmill-test-$$" --file docker-compose.yml)

finish() {
  status=$?
  [ "$status" = 0 ] || "${compose[@]}" logs --tail 40 || true
  "${compose[@]}" down --volumes --timeout 10 >/dev/null 2>&1 || true
  [ "$status" = 0 ] && echo "test:docker: passed" || echo "test:docker: FAILED" >&2
}
trap finish EXIT

say() { echo; echo "== $* =="; }
mill() { "${compose[@]}" exec -T namenode gristmill "$@"; }
live() { mill status 2>/dev/null | grep -cE '^datanode +.* live ' || true; }
three_live() {
  for _ in $(seq 60); do [ "$(live)" = 3 ] && return; sleep 1; done
  echo "only $(live) of 3 datanodes are live after 60 s" >&2
  return 1
}

say "build"
docker build --network host --tag gristmill:latest .

say "up"
"${compose[@]}" up -d --no-build
three_live
mill status

say "a gateway answers S3"
mill user add ada
[ "$(curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:${GRISTMILL_S3_PORT:-9000}/")" = 403 ]
mill user key ada > /dev/null

say "put"
input=$(mktemp); output=$(mktemp)
seq 1 400000 | sed 's/$/ the quick brown fox/' > "$input"
mill put --block-size 1MiB --format lines - /lines.txt < "$input"
mill ls -l /
[ "$(mill stat --json /lines.txt | grep -o '"replication": *3' | wc -l)" -ge 1 ]

say "run a job"
"${compose[@]}" exec -T namenode sh -c 'cat > /tmp/wordcount.ts' < docs/examples/wordcount.ts
mill run /tmp/wordcount.ts --input /lines.txt --output /words
[ "$(mill cat '/words/part-*' | sort)" = "$(printf 'brown\t400000\nfox\t400000\nquick\t400000\nthe\t400000')" ]

say "kill a container"
"${compose[@]}" kill -s SIGKILL datanode2
mill get /lines.txt - > "$output"
cmp "$input" "$output"
mill run /tmp/wordcount.ts --input /lines.txt --output /words-again
[ "$(mill cat '/words-again/part-*' | sort)" = "$(mill cat '/words/part-*' | sort)" ]

say "start it again"
"${compose[@]}" start datanode2
three_live

say "down, and up again: the data is still there"
"${compose[@]}" down --timeout 20
"${compose[@]}" up -d --no-build
for _ in $(seq 60); do mill get /lines.txt - > "$output" 2>/dev/null && break; sleep 1; done
cmp "$input" "$output"
rm -f "$input" "$output"
