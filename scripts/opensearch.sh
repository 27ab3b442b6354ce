# An OpenSearch node for start and demo, run by scripts/engine. Sourced after lib.sh.
# shellcheck shell=bash

engine_url=''
engine_pid=''

# The first free port from 9200 on.
free_engine_port() {
  local port
  for port in {9200..9299}; do
    if ! (: >"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
      printf '%s' "$port"
      return
    fi
  done
  fail 'no port is free from 9200 to 9299'
}

# start_engine DIR: sets engine_url and engine_pid. It gets a session of its own, because Ctrl-C is
# for the collector first, which has to store what it took; and it ends with this script.
start_engine() {
  local dir=$1 log=$1.log port
  scripts/engine --install opensearch || exit
  command -v curl >/dev/null || scripts/setup engine || exit 69
  port=$(free_engine_port)
  if ((port != 9200)); then say "port 9200 is taken, so OpenSearch gets $port"; fi
  engine_url=http://127.0.0.1:$port
  setsid setpriv --pdeathsig TERM scripts/engine opensearch --http-port "$port" --data "$dir" \
    >"$log" 2>&1 </dev/null &
  engine_pid=$!
  say "starting OpenSearch at $engine_url, data in $dir, log in $log"
  local begin=$SECONDS
  # It answers GET / before it has recovered its data.
  until curl -sf "$engine_url/_cluster/health?wait_for_status=yellow&timeout=1s" >/dev/null; do
    if ! kill -0 "$engine_pid" 2>/dev/null; then
      tail -n 20 "$log" >&2
      fail 'OpenSearch ended'
    fi
    ((SECONDS - begin < 120)) || fail "OpenSearch is not ready after 120 s; see $log"
    sleep 0.2
  done
}

stop_engine() {
  if [[ -z $engine_pid ]]; then return; fi
  kill -TERM "$engine_pid" 2>/dev/null || true
  wait "$engine_pid" 2>/dev/null || true
  engine_pid=''
}
