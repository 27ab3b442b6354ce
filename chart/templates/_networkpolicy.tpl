{{/* Peers as given, or all namespaces of the cluster. */}}
{{- define "cc.peers" -}}
{{- if . -}}
{{- toYaml . -}}
{{- else -}}
- namespaceSelector: {}
{{- end -}}
{{- end -}}

{{/* The pods of this release, as a peer. */}}
{{- define "cc.ownPods" -}}
- podSelector:
    matchLabels:
      app.kubernetes.io/name: {{ include "cc.name" . }}
      app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "cc.egressDns" -}}
- ports:
    - port: 53
      protocol: UDP
    - port: 53
      protocol: TCP
{{- end -}}

{{/* To the engine: a port of URLs may be any, so those of an external one are taken from them. */}}
{{- define "cc.egressEngine" -}}
{{- if eq .Values.elasticsearch.mode "external" -}}
- ports:
    {{- $ports := list -}}
    {{- range .Values.elasticsearch.external.urls -}}
    {{- $host := (urlParse .).host -}}
    {{- $ports = append $ports (regexFind ":[0-9]+$" $host | trimPrefix ":" | default (ternary "443" "80" (hasPrefix "https:" .))) -}}
    {{- end -}}
    {{- range (uniq $ports) }}
    - port: {{ . }}
      protocol: TCP
    {{- end }}
  {{- with .Values.networkPolicy.engine }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- else -}}
- ports:
    - port: 9200
      protocol: TCP
  to:
    - podSelector:
        matchLabels:
          {{- include "cc.enginePods" . | nindent 10 }}
{{- end -}}
{{- end -}}

{{- define "cc.enginePods" -}}
{{- if eq .Values.elasticsearch.mode "eck" -}}
elasticsearch.k8s.elastic.co/cluster-name: {{ include "cc.fullname" . }}
{{- else -}}
{{- include "cc.selector" (list . "elasticsearch") -}}
{{- end -}}
{{- end -}}
