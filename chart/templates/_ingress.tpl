{{/* (list $ component name values service port) */}}
{{- define "cc.ingress" -}}
{{- $values := index . 3 -}}
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  {{- include "cc.metadata" . | nindent 2 }}
  {{- with $values.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  {{- with $values.className }}
  ingressClassName: {{ . }}
  {{- end }}
  {{- if $values.tlsSecret }}
  tls:
    - hosts: [{{ $values.host | quote }}]
      secretName: {{ $values.tlsSecret }}
  {{- end }}
  rules:
    - host: {{ $values.host | quote }}
      http:
        paths:
          - path: /
            pathType: Prefix
            backend:
              service:
                name: {{ index . 4 }}
                port:
                  number: {{ index . 5 }}
{{- end -}}
