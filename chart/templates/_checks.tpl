{{/* Values that contradict each other. What one value alone may be, values.schema.json says. */}}
{{- define "cc.checks" -}}
{{- $v := .Values -}}
{{- $drain := index $v.config "drain-timeout-seconds" | default 20 | int -}}
{{- if le (int $v.terminationGracePeriodSeconds) (add (int $v.preStopSleepSeconds) $drain | int) -}}
{{- fail (printf "terminationGracePeriodSeconds (%d) must be more than preStopSleepSeconds (%d) and config.drain-timeout-seconds (%d) together: the pod would be killed while it stores what it took" (int $v.terminationGracePeriodSeconds) (int $v.preStopSleepSeconds) $drain) -}}
{{- end -}}
{{- if eq $v.store "sqlite" -}}
{{- range $name, $on := dict "autoscaling" $v.autoscaling.enabled "snapshots" $v.snapshots.enabled "restore" $v.restore.enabled "kibana.ingress" $v.kibana.ingress.enabled -}}
{{- if $on -}}
{{- fail (printf "%s.enabled needs store: elasticsearch; with store: sqlite there is one collector with its own file and page" $name) -}}
{{- end -}}
{{- end -}}
{{- else -}}
{{- include "cc.checksElasticsearch" . -}}
{{- end -}}
{{- with $v.autoscaling -}}
{{- if .enabled -}}
{{- if gt (int .minReplicas) (int .maxReplicas) -}}
{{- fail (printf "autoscaling.minReplicas (%d) is more than autoscaling.maxReplicas (%d)" (int .minReplicas) (int .maxReplicas)) -}}
{{- end -}}
{{- if not (or (int .cpuUtilization) (int .pendingEvents)) -}}
{{- fail "autoscaling.enabled needs autoscaling.cpuUtilization or autoscaling.pendingEvents" -}}
{{- end -}}
{{- if and (int .cpuUtilization) (not (dig "requests" "cpu" "" $v.resources)) -}}
{{- fail "autoscaling.cpuUtilization is a part of resources.requests.cpu, which is missing" -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- with $v.service -}}
{{- if eq .type "ClusterIP" -}}
{{- if int .nodePort -}}{{- fail "service.nodePort needs service.type: NodePort or LoadBalancer" -}}{{- end -}}
{{- if int $v.coaps.nodePort -}}{{- fail "coaps.nodePort needs service.type: NodePort or LoadBalancer" -}}{{- end -}}
{{- end -}}
{{- if ne .type "LoadBalancer" -}}
{{- if or .loadBalancerClass .loadBalancerIP .loadBalancerSourceRanges -}}
{{- fail "service.loadBalancer... needs service.type: LoadBalancer" -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- with $v.coaps -}}
{{- if .secret -}}
{{- if ne (has "tls.crt" .files) (has "tls.key" .files) -}}{{- fail "coaps.files needs both of tls.crt and tls.key, or none" -}}{{- end -}}
{{- if eq (int .port) (int $v.service.port) -}}{{- fail "coaps.port and service.port are the same" -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- if $v.ingress.enabled -}}
{{- if ne $v.store "sqlite" -}}{{- fail "ingress is for the page of store: sqlite; Kibana has kibana.ingress" -}}{{- end -}}
{{- if not $v.ingress.host -}}{{- fail "ingress.enabled needs ingress.host" -}}{{- end -}}
{{- end -}}
{{- if and $v.udpRoute.enabled (not $v.udpRoute.parentRefs) -}}
{{- fail "udpRoute.enabled needs udpRoute.parentRefs: the Gateway that takes the datagrams" -}}
{{- end -}}
{{- if and $v.hostNetwork (eq $v.antiAffinity "none") (not $v.affinity) -}}
{{- fail "hostNetwork needs antiAffinity: two collectors cannot share a node's ports" -}}
{{- end -}}
{{- end -}}

{{- define "cc.checksElasticsearch" -}}
{{- $v := .Values -}}
{{- $external := $v.elasticsearch.external -}}
{{- if eq $v.elasticsearch.mode "external" -}}
{{- if not $external.urls -}}
{{- fail "elasticsearch.mode: external needs elasticsearch.external.urls, like [https://es.example:9200]" -}}
{{- end -}}
{{- range $name := list "credentials" "setupCredentials" "readerCredentials" -}}
{{- $c := index $external $name -}}
{{- if and (ne $c.method "none") (not (and $c.existingSecret $c.key)) -}}
{{- fail (printf "elasticsearch.external.%s.method: %s needs its existingSecret and key" $name $c.method) -}}
{{- end -}}
{{- if and (eq $c.method "none") $c.existingSecret -}}
{{- fail (printf "elasticsearch.external.%s.existingSecret is given, but method is none: basic, api-key or bearer?" $name) -}}
{{- end -}}
{{- if ne (eq $c.method "basic") (ne $c.user "") -}}
{{- fail (printf "elasticsearch.external.%s: method basic, and only it, has a user" $name) -}}
{{- end -}}
{{- end -}}
{{- if and (or $external.tls.caSecret $external.tls.certificateSecret) (hasPrefix "http:" (first $external.urls)) -}}
{{- fail "elasticsearch.external.tls is given, but elasticsearch.external.urls begin with http:" -}}
{{- end -}}
{{- range $name, $c := dict "kibana" (ternary $v.kibana.credentials dict $v.kibana.enabled) "snapshots" $v.snapshots.credentials -}}
{{- if and $c (ne (empty $c.user) (empty $c.existingSecret)) -}}
{{- fail (printf "%s.credentials needs both user and existingSecret, or none" $name) -}}
{{- end -}}
{{- end -}}
{{- if and $v.kibana.enabled (ne $external.credentials.method "none") (not $v.kibana.credentials.existingSecret) -}}
{{- fail "the external engine asks for credentials, so kibana.enabled needs kibana.credentials; or set kibana.enabled: false" -}}
{{- end -}}
{{- else -}}
{{- if or $external.urls $external.credentials.existingSecret -}}
{{- fail (printf "elasticsearch.external is given, but elasticsearch.mode is %s" $v.elasticsearch.mode) -}}
{{- end -}}
{{- if ne (empty $v.elasticsearch.users.passwordsSecret) (empty $v.elasticsearch.users.realmSecret) -}}
{{- fail "elasticsearch.users: give passwordsSecret and realmSecret, or none of them; the realm holds the passwords' hashes" -}}
{{- end -}}
{{- end -}}
{{- if and (eq $v.elasticsearch.mode "eck") (gt (len (include "cc.fullname" .)) 36) -}}
{{- fail (printf "ECK takes names of at most 36 characters: shorten '%s' by fullnameOverride" (include "cc.fullname" .)) -}}
{{- end -}}
{{- if and $v.kibana.ingress.enabled (not $v.kibana.enabled) -}}
{{- fail "kibana.ingress.enabled needs kibana.enabled" -}}
{{- end -}}
{{- if and $v.kibana.ingress.enabled (not (and $v.kibana.ingress.host $v.kibana.ingress.tlsSecret)) -}}
{{- fail "kibana.ingress.enabled needs kibana.ingress.host and kibana.ingress.tlsSecret" -}}
{{- end -}}
{{- end -}}

{{/* (list $ api value): an API that is not there; helm template is told of it by --api-versions. */}}
{{- define "cc.needsApi" -}}
{{- if not ((index . 0).Capabilities.APIVersions.Has (index . 1)) -}}
{{- fail (printf "%s needs %s in the cluster, which is not there; where charts are only rendered, give --api-versions %s" (index . 2) (index . 1) (index . 1)) -}}
{{- end -}}
{{- end -}}
