# engine METHOD PATH [JSON]: a request to the engine; its answer on standard output, whatever the
# status. The password is no argument, which others could see.
set -eu
engine() {
  method=$1 path=$2 body=${3-}
  set -- --silent --show-error --max-time 7200 --request "$method"
  if [ "$method" = HEAD ]; then set -- "$@" --head --output /dev/null --write-out '%{http_code}'; fi
  if [ -n "$body" ]; then set -- "$@" --header 'Content-Type: application/json' --data "$body"; fi
  if [ -n "${ENGINE_CA-}" ]; then set -- "$@" --cacert "$ENGINE_CA"; fi
  if [ -n "${ENGINE_USER-}" ]; then
    printf 'user = "%s:%s"\n' "$ENGINE_USER" "$ENGINE_PASSWORD" |
      curl "$@" --config - "$ENGINE_URL/$path"
  else
    curl "$@" "$ENGINE_URL/$path"
  fi
}
fail() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}
# Ours, oldest first: name and state.
snapshots() {
  engine GET "_cat/snapshots/$REPOSITORY?h=id,status&s=start_epoch" | grep '^coap-' || true
}
make_repository() {
  if [ -z "${REPOSITORY_BODY-}" ]; then return; fi
  answer=$(engine PUT "_snapshot/$REPOSITORY" "$REPOSITORY_BODY")
  case $answer in
    *'"acknowledged":true'*) ;;
    *) fail "making repository $REPOSITORY: $answer" ;;
  esac
}
STREAMS="${ENGINE_STREAM-},metrics-coap.requests-*"
