found() {
  case $WHERE in
    engine)
      engine GET "$ENGINE_STREAM/_count?q=value.string:%22$TOKEN%22" | grep -q '"count":1,'
      ;;
    page)
      printf 'header = "Authorization: Bearer %s"\n' "${HTTP_TOKEN-}" |
        curl --silent --show-error --fail --config - "$HTTP_URL/api/events?sender=helm-test" |
        grep -q "$TOKEN"
      ;;
  esac
}
if [ "$WHERE" = nowhere ]; then
  echo 'the event was acknowledged; to look for it give elasticsearch.external.readerCredentials'
  exit 0
fi
for _ in $(seq 30); do
  if found; then
    echo "found event $TOKEN"
    exit 0
  fi
  sleep 1
done
fail "the event $TOKEN was acknowledged, but is not to be found"
