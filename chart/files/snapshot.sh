make_repository
name=coap-$(date -u +%Y%m%d-%H%M%S)
answer=$(engine PUT "_snapshot/$REPOSITORY/$name?wait_for_completion=true" \
  "{\"indices\":\"$STREAMS\",\"include_global_state\":false}")
case $answer in *'"state":"SUCCESS"'*) ;; *) fail "snapshot $name: $answer" ;; esac
echo "snapshot $name is complete"
snapshots | awk -v keep="$KEEP" '$2 == "SUCCESS" { name[++n] = $1 }
  END { for (i = 1; i <= n - keep; i++) print name[i] }' | while read -r old; do
  answer=$(engine DELETE "_snapshot/$REPOSITORY/$old")
  case $answer in
    *'"acknowledged":true'*) echo "removed $old" ;;
    *) fail "removing $old: $answer" ;;
  esac
done
