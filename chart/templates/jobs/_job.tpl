{{/* (list $ component name hooks weight deadline): a hook Job's head, up to its containers. */}}
{{- define "cc.hookJob" -}}
{{- $root := index . 0 -}}
apiVersion: batch/v1
kind: Job
metadata:
  {{- include "cc.metadata" . | nindent 2 }}
  annotations:
    helm.sh/hook: {{ index . 3 }}
    helm.sh/hook-weight: {{ index . 4 | quote }}
    # Kept for its log, until the next one or for a day.
    helm.sh/hook-delete-policy: before-hook-creation
spec:
  backoffLimit: 5
  activeDeadlineSeconds: {{ index . 5 }}
  ttlSecondsAfterFinished: 86400
  template:
    metadata:
      labels:
        {{- include "cc.labels" . | nindent 8 }}
    spec:
      restartPolicy: Never
      {{- include "cc.podCommon" $root | nindent 6 }}
{{- end -}}

{{/* An external engine is there before this release; our own only after it. */}}
{{- define "cc.setupHooks" -}}
{{- ternary "pre-install,pre-upgrade" "post-install,post-upgrade" (eq .Values.elasticsearch.mode "external") -}}
{{- end -}}

{{/* `collector setup` with the engine's options as flags: no ConfigMap is there before an install. */}}
{{- define "cc.setupCommand" -}}
{{- $options := dict "elasticsearch-start-timeout-seconds" 300 -}}
{{- range $key, $value := .Values.config -}}
{{- if hasPrefix "elasticsearch-" $key -}}{{- $_ := set $options $key $value -}}{{- end -}}
{{- end -}}
{{- $options = mergeOverwrite $options (include "cc.engineOptions" (list . "setup") | fromYaml) -}}
- collector
- setup
{{- range $key, $value := $options }}
- {{ printf "--%s=%v" $key (ternary (printf "%d" (int64 $value)) (toString $value) (kindIs "float64" $value)) | quote }}
{{- end }}
{{- end -}}
