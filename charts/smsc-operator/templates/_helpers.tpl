{{/* The name of everything: at most 35 characters, for an SmscFrontend (FULLNAME-test) has at most 40. */}}
{{- define "smsc.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 35 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 35 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* What selects the pods of a component: list CONTEXT COMPONENT. Never changes. */}}
{{- define "smsc.selector" -}}
{{- $context := index . 0 -}}
app.kubernetes.io/name: {{ $context.Chart.Name }}
app.kubernetes.io/instance: {{ $context.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* The labels of an object of a component: list CONTEXT COMPONENT. */}}
{{- define "smsc.labels" -}}
{{- $context := index . 0 -}}
{{ include "smsc.selector" . }}
app.kubernetes.io/version: {{ $context.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $context.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $context.Chart.Name $context.Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "smsc.serviceAccount" -}}
{{- default (ternary (include "smsc.fullname" .) "default" .Values.serviceAccount.create) .Values.serviceAccount.name -}}
{{- end -}}

{{/* The reference of an image: list CONTEXT NAME. */}}
{{- define "smsc.image" -}}
{{- $images := (index . 0).Values.images -}}
{{- $name := printf "%s/%s" $images.registry (index . 1) -}}
{{- contains "@" $name | ternary $name (printf "%s:%s" $name (default (index . 0).Chart.AppVersion $images.tag)) -}}
{{- end -}}

{{- define "smsc.pullSecrets" -}}
{{- with .Values.images.pullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Restricted Pod Security, for the pod and for its container. */}}
{{- define "smsc.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end -}}
{{- define "smsc.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{/* Where pods run: those keys of a section of values that are set. */}}
{{- define "smsc.placement" -}}
{{- range $key := list "nodeSelector" "tolerations" "affinity" "topologySpreadConstraints" "priorityClassName" }}
{{- with get $ $key }}
{{ $key }}: {{ kindIs "string" . | ternary . (toYaml . | nindent 2) }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Arguments that name the namespaces watched. */}}
{{- define "smsc.namespaces" -}}
{{- range .Values.watchNamespaces }}
- --namespace={{ . }}
{{- end }}
{{- end -}}

{{- define "smsc.storeURL" -}}
http://{{ include "smsc.fullname" . }}-store.{{ .Release.Namespace }}.svc:8444
{{- end -}}

{{/* Where the test's SmscFrontend lives: in a namespace that is watched, this one if it is. */}}
{{- define "smsc.testNamespace" -}}
{{- $watched := default (list .Release.Namespace) .Values.watchNamespaces -}}
{{- has .Release.Namespace $watched | ternary .Release.Namespace (first $watched) -}}
{{- end -}}

{{/* The backend of the test; empty where there is none. */}}
{{- define "smsc.testBackend" -}}
{{- if .Values.test.backend.apiBaseURL -}}
apiBaseURL: {{ .Values.test.backend.apiBaseURL }}
{{- with .Values.test.backend.tokenSecretRef }}
{{- if .name }}
tokenSecretRef: {name: {{ .name }}, key: {{ .key }}}
{{- end }}
{{- end }}
{{- else if .Values.store.enabled -}}
apiBaseURL: {{ include "smsc.storeURL" . }}
{{- with .Values.store.tokenSecretRef }}
{{- if .name }}
tokenSecretRef: {name: {{ .name }}, key: {{ .key }}}
{{- end }}
{{- end }}
{{- end -}}
{{- end -}}
