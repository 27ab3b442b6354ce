{{- define "wc.fullname" -}}
{{- .Release.Name | trunc 20 | trimSuffix "-" -}}
{{- end -}}

{{/* A city's own name among Kubernetes' objects: at most 52 characters, as a CronJob's must be. */}}
{{- define "wc.cronjob" -}}
{{- $slug := regexReplaceAll "[^a-z0-9]+" (index . 1 | lower) "-" | trimAll "-" | trunc 20 | trimSuffix "-" -}}
{{- printf "%s-%s-%s" (include "wc.fullname" (index . 0)) $slug (index . 1 | sha256sum | trunc 6) | replace "--" "-" -}}
{{- end -}}

{{- define "wc.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "wc.labels" -}}
{{ include "wc.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: coap-collector
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}
