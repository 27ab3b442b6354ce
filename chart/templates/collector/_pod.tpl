{{/* The pod of a collector, for the Deployment and for the StatefulSet. */}}
{{- define "cc.collectorPod" -}}
metadata:
  annotations:
    checksum/config: {{ include "cc.configFile" . | sha256sum }}
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  labels:
    {{- include "cc.labels" (list . "collector") | nindent 4 }}
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "cc.serviceAccountName" . }}
  {{- include "cc.podCommon" . | nindent 2 }}
  terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
  {{- if .Values.hostNetwork }}
  hostNetwork: true
  dnsPolicy: ClusterFirstWithHostNet
  {{- end }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if .Values.affinity }}
  affinity:
    {{- toYaml .Values.affinity | nindent 4 }}
  {{- else if eq .Values.antiAffinity "hard" }}
  affinity:
    podAntiAffinity:
      requiredDuringSchedulingIgnoredDuringExecution:
        - topologyKey: kubernetes.io/hostname
          labelSelector:
            matchLabels:
              {{- include "cc.selector" (list . "collector") | nindent 14 }}
  {{- else if eq .Values.antiAffinity "soft" }}
  affinity:
    podAntiAffinity:
      preferredDuringSchedulingIgnoredDuringExecution:
        - weight: 100
          podAffinityTerm:
            topologyKey: kubernetes.io/hostname
            labelSelector:
              matchLabels:
                {{- include "cc.selector" (list . "collector") | nindent 16 }}
  {{- end }}
  {{- with .Values.topologySpread.zone }}
  topologySpreadConstraints:
    - maxSkew: 1
      topologyKey: topology.kubernetes.io/zone
      whenUnsatisfiable: {{ . }}
      labelSelector:
        matchLabels:
          {{- include "cc.selector" (list $ "collector") | nindent 10 }}
      {{- if eq $.Values.store "elasticsearch" }}
      matchLabelKeys: [pod-template-hash]
      {{- end }}
  {{- end }}
  containers:
    - name: collector
      image: {{ include "cc.image" . }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      # Flags where a variable of the image would count more than the file.
      command:
        - collector
        - --config=/etc/coap-collector/config/collector.toml
        - --coap-listen=0.0.0.0:5683,[::]:5683
        {{- if .Values.coaps.secret }}
        - --coaps-listen=0.0.0.0:5684,[::]:5684
        {{- end }}
        - --http-listen=0.0.0.0:{{ .Values.http.port }}
        {{- if eq .Values.store "sqlite" }}
        - --sqlite-path=/data/events.db
        {{- end }}
      {{- if or .Values.http.tokenSecret .Values.extraEnv }}
      env:
        {{- include "cc.httpToken" (list . "COLLECTOR_HTTP_TOKEN") | nindent 8 }}
        {{- with .Values.extraEnv }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- end }}
      ports:
        - name: coap
          containerPort: 5683
          protocol: UDP
        {{- if .Values.coaps.secret }}
        - name: coaps
          containerPort: 5684
          protocol: UDP
        {{- end }}
        - name: http
          containerPort: {{ .Values.http.port }}
          protocol: TCP
      # A store that is away at the start may take longer than a probe's patience.
      startupProbe:
        httpGet: {path: /livez, port: http}
        periodSeconds: 1
        failureThreshold: 120
      livenessProbe:
        httpGet: {path: /livez, port: http}
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 3
      # Quick, because a device's datagrams go to a pod that drains until this fails.
      readinessProbe:
        httpGet: {path: /readyz, port: http}
        periodSeconds: 1
        timeoutSeconds: 2
        failureThreshold: 2
      {{- /* Alone, it would only be away longer. */}}
      {{- if and (int .Values.preStopSleepSeconds) (eq .Values.store "elasticsearch") }}
      lifecycle:
        preStop:
          sleep:
            seconds: {{ .Values.preStopSleepSeconds }}
      {{- end }}
      resources:
        {{- toYaml .Values.resources | nindent 8 }}
      securityContext:
        {{- include "cc.containerSecurity" . | nindent 8 }}
      volumeMounts:
        - name: config
          mountPath: /etc/coap-collector/config
          readOnly: true
        {{- if .Values.coaps.secret }}
        - name: coaps
          mountPath: /etc/coap-collector/coaps
          readOnly: true
        {{- end }}
        {{- if eq .Values.store "sqlite" }}
        - name: data
          mountPath: /data
        {{- else }}
        {{- include "cc.engineMounts" (list . "collector") | nindent 8 }}
        {{- end }}
        {{- with .Values.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  volumes:
    - name: config
      configMap:
        name: {{ include "cc.fullname" . }}
    {{- with .Values.coaps.secret }}
    - name: coaps
      secret:
        secretName: {{ . }}
        defaultMode: 0440
    {{- end }}
    {{- if eq .Values.store "elasticsearch" }}
    {{- include "cc.engineVolumes" (list . "collector") | nindent 4 }}
    {{- else if .Values.persistence.existingClaim }}
    - name: data
      persistentVolumeClaim:
        claimName: {{ .Values.persistence.existingClaim }}
    {{- end }}
    {{- with .Values.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}
