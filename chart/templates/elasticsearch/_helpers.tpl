{{/* Not empty where this release makes an engine of its own: its mode. */}}
{{- define "cc.ownEngine" -}}
{{- if and (eq .Values.store "elasticsearch") (ne .Values.elasticsearch.mode "external") -}}
{{- .Values.elasticsearch.mode -}}
{{- end -}}
{{- end -}}

{{- define "cc.stream" -}}
{{- index .Values.config "elasticsearch-stream" | default "metrics-coap.events-default" -}}
{{- end -}}

{{/* A stream that setup has not made must not come into being by a write, with a foreign mapping. */}}
{{- define "cc.autoCreate" -}}
{{- printf "-metrics-coap.*,-%s,+*" (include "cc.stream" .) -}}
{{- end -}}

{{/* What of the pod security context Elastic's own images need: their user is 1000. */}}
{{- define "cc.elasticPodSecurity" -}}
runAsNonRoot: true
runAsUser: 1000
fsGroup: 1000
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "cc.elasticContainerSecurity" -}}
allowPrivilegeEscalation: false
capabilities:
  drop: [ALL]
{{- end -}}
