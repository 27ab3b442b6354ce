make_repository
if [ "$SNAPSHOT" = latest ]; then
  SNAPSHOT=$(snapshots | awk '$2 == "SUCCESS" { name = $1 } END { print name }')
  [ -n "$SNAPSHOT" ] || fail "repository $REPOSITORY has no complete snapshot of ours"
fi
# Restored over a stream that is there, its present indices would belong to nothing.
if [ "$(engine HEAD "$ENGINE_STREAM$SUFFIX")" != 404 ]; then
  fail "$ENGINE_STREAM$SUFFIX is there already: choose another restore.suffix, or delete it first"
fi
echo "restoring $SNAPSHOT"
answer=$(engine POST "_snapshot/$REPOSITORY/$SNAPSHOT/_restore?wait_for_completion=true" \
  "{\"indices\":\"$STREAMS\",\"include_global_state\":false,
    \"rename_pattern\":\"(.+)\",\"rename_replacement\":\"\$1$SUFFIX\"}")
case $answer in *'"failed":0'*) ;; *) fail "restoring $SNAPSHOT: $answer" ;; esac
echo "restored as $ENGINE_STREAM$SUFFIX"
