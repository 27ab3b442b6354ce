{{- define "cc.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* At most 40 characters, so that a suffix and what a controller adds fit into 63. */}}
{{- define "cc.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "cc.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "cc.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* (list $ component): what never changes, for selectors. */}}
{{- define "cc.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ include "cc.name" $root }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{- define "cc.labels" -}}
{{- $root := index . 0 -}}
{{ include "cc.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: coap-collector
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
{{- with $root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* (list $ component name): the head of an object's metadata. */}}
{{- define "cc.metadata" -}}
name: {{ index . 2 }}
namespace: {{ (index . 0).Release.Namespace }}
labels:
  {{- include "cc.labels" (list (index . 0) (index . 1)) | nindent 2 }}
{{- end -}}

{{- define "cc.image" -}}
{{- with .Values.image -}}
{{- if .digest }}{{ .repository }}@{{ .digest }}
{{- else }}{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "cc.pullSecrets" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end -}}

{{- define "cc.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "cc.fullname" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{/* The restricted Pod Security Standard, in its two parts. */}}
{{- define "cc.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "cc.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* (list $ variable): the token of HTTP in an environment variable, if there is one. */}}
{{- define "cc.httpToken" -}}
{{- with (index . 0).Values.http.tokenSecret -}}
- name: {{ index $ 1 }}
  valueFrom:
    secretKeyRef: {name: {{ . }}, key: token}
{{- end -}}
{{- end -}}

{{/* What all pods that run our image have in common. */}}
{{- define "cc.podCommon" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- include "cc.pullSecrets" . }}
securityContext:
  {{- include "cc.podSecurity" . | nindent 2 }}
{{- end -}}

{{/* Which engine, in one place: what the modes have different. */}}
{{- define "cc.engine" -}}
{{- $full := include "cc.fullname" . -}}
{{- $es := .Values.elasticsearch -}}
{{- if eq $es.mode "external" -}}
urls: {{ toJson $es.external.urls }}
caSecret: {{ $es.external.tls.caSecret | quote }}
caKey: {{ $es.external.tls.caKey | quote }}
certificateSecret: {{ $es.external.tls.certificateSecret | quote }}
credentials:
  collector: {{ toJson $es.external.credentials }}
  {{- if eq $es.external.setupCredentials.method "none" }}
  setup: {{ toJson $es.external.credentials }}
  {{- else }}
  setup: {{ toJson $es.external.setupCredentials }}
  {{- end }}
  reader: {{ toJson $es.external.readerCredentials }}
  {{- with .Values.snapshots.credentials }}
  admin: {{ toJson (dict "method" (ternary "basic" "none" (ne .existingSecret "")) "user" .user "existingSecret" .existingSecret "key" .key) }}
  {{- end }}
  {{- with .Values.kibana.credentials }}
  kibana: {{ toJson (dict "method" (ternary "basic" "none" (ne .existingSecret "")) "user" .user "existingSecret" .existingSecret "key" .key) }}
  {{- end }}
{{- else -}}
{{- $secret := include "cc.passwordsSecret" . -}}
{{- if eq $es.mode "eck" -}}
urls: [{{ printf "https://%s-es-http:9200" $full }}]
caSecret: {{ $full }}-es-http-certs-public
caKey: ca.crt
{{- else -}}
urls: [{{ printf "https://%s-elasticsearch:9200" $full }}]
caSecret: {{ include "cc.tlsSecret" . }}
caKey: ca.crt
{{- end }}
certificateSecret: ""
credentials:
  {{- range $user := list "collector" "setup" "reader" "admin" "kibana" }}
  {{ $user }}: {method: basic, user: {{ printf "coap_%s" $user }}, existingSecret: {{ $secret }}, key: {{ $user }}}
  {{- end }}
{{- end -}}
{{- end -}}

{{- define "cc.passwordsSecret" -}}
{{- .Values.elasticsearch.users.passwordsSecret | default (printf "%s-passwords" (include "cc.fullname" .)) -}}
{{- end -}}

{{- define "cc.realmSecret" -}}
{{- .Values.elasticsearch.users.realmSecret | default (printf "%s-realm" (include "cc.fullname" .)) -}}
{{- end -}}

{{- define "cc.tlsSecret" -}}
{{- .Values.elasticsearch.statefulset.tlsSecret | default (printf "%s-elasticsearch-tls" (include "cc.fullname" .)) -}}
{{- end -}}

{{/* (list $ who): options by which `collector` reaches the engine, as YAML. */}}
{{- define "cc.engineOptions" -}}
{{- $engine := include "cc.engine" (index . 0) | fromYaml -}}
{{- $who := index $engine.credentials (index . 1) -}}
elasticsearch-url: {{ join "," $engine.urls | quote }}
{{- if $engine.caSecret }}
elasticsearch-ca-file: /etc/coap-collector/ca/ca.crt
{{- end }}
{{- if $engine.certificateSecret }}
elasticsearch-certificate-file: /etc/coap-collector/certificate/tls.crt
elasticsearch-key-file: /etc/coap-collector/certificate/tls.key
{{- end }}
{{- if eq $who.method "basic" }}
elasticsearch-user: {{ $who.user | quote }}
elasticsearch-password-file: /etc/coap-collector/credentials/secret
{{- else if ne $who.method "none" }}
elasticsearch-{{ $who.method }}-file: /etc/coap-collector/credentials/secret
{{- end }}
{{- end -}}

{{/* (list $ who): the files of those options. */}}
{{- define "cc.engineVolumes" -}}
{{- $engine := include "cc.engine" (index . 0) | fromYaml -}}
{{- $who := index $engine.credentials (index . 1) -}}
{{- if $engine.caSecret }}
- name: ca
  secret:
    secretName: {{ $engine.caSecret }}
    defaultMode: 0440
    items: [{key: {{ $engine.caKey | quote }}, path: ca.crt}]
{{- end }}
{{- if $engine.certificateSecret }}
- name: certificate
  secret:
    secretName: {{ $engine.certificateSecret }}
    defaultMode: 0440
{{- end }}
{{- if ne $who.method "none" }}
- name: credentials
  secret:
    secretName: {{ $who.existingSecret }}
    defaultMode: 0440
    items: [{key: {{ $who.key | quote }}, path: secret}]
{{- end }}
{{- end -}}

{{- define "cc.engineMounts" -}}
{{- range (include "cc.engineVolumes" . | fromYamlArray) }}
- name: {{ .name }}
  mountPath: /etc/coap-collector/{{ .name }}
  readOnly: true
{{- end }}
{{- end -}}

{{/* Options as TOML. A number may be a float, which must not become 8.388608e+06, or, in helm 3.18.0,
     a kind of string. */}}
{{- define "cc.toml" -}}
{{- range $key, $value := . }}
{{- if kindIs "float64" $value }}
{{ $key }} = {{ int64 $value }}
{{- else if and (kindIs "string" $value) (not (typeIs "json.Number" $value)) }}
{{ $key }} = {{ $value | quote }}
{{- else }}
{{ $key }} = {{ $value }}
{{- end }}
{{- end }}
{{- end -}}

{{/* The collectors' file: `config`, and what follows from other values. */}}
{{- define "cc.configFile" -}}
{{- $options := deepCopy .Values.config -}}
{{- $_ := set $options "store" .Values.store -}}
{{- if eq .Values.store "elasticsearch" -}}
{{- $options = mergeOverwrite $options (include "cc.engineOptions" (list . "collector") | fromYaml) -}}
{{- end -}}
{{- if .Values.coaps.secret -}}
{{- $names := dict "psk" "psk-file" "tls.crt" "tls-certificate-file" "tls.key" "tls-key-file" "ca.crt" "tls-client-ca-file" "crl.pem" "tls-revocation-file" -}}
{{- range .Values.coaps.files -}}
{{- $_ := set $options (get $names .) (printf "/etc/coap-collector/coaps/%s" .) -}}
{{- end -}}
{{- end -}}
{{- if .Values.access -}}
{{- $_ := set $options "access-file" "/etc/coap-collector/config/access" -}}
{{- end -}}
{{- include "cc.toml" $options | trim -}}
{{- end -}}

{{/* Requests to the engine by curl: (list $ who) as environment, mounts and volumes. */}}
{{- define "cc.curlEnvironment" -}}
{{- $engine := include "cc.engine" (index . 0) | fromYaml -}}
{{- $who := index $engine.credentials (index . 1) -}}
- name: ENGINE_URL
  value: {{ first $engine.urls | quote }}
- name: ENGINE_STREAM
  value: {{ index (index . 0).Values.config "elasticsearch-stream" | default "metrics-coap.events-default" }}
{{- if $engine.caSecret }}
- name: ENGINE_CA
  value: /etc/coap-collector/ca/ca.crt
{{- end }}
{{- if eq $who.method "basic" }}
- name: ENGINE_USER
  value: {{ $who.user | quote }}
- name: ENGINE_PASSWORD
  valueFrom:
    secretKeyRef: {name: {{ $who.existingSecret }}, key: {{ $who.key | quote }}}
{{- end }}
{{- end -}}
