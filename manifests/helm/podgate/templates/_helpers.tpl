{{/* Every object has these. */}}
{{- define "podgate.labels" -}}
app.kubernetes.io/name: podgate
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{/* The labels by which Services, budgets and policies select the pods. They never change. */}}
{{- define "podgate.selector" -}}
app.kubernetes.io/name: podgate
{{- end }}

{{/* Namespaces that no webhook may match, as a JSON list. */}}
{{- define "podgate.reserved" -}}
{{- concat (list "kube-system" "kube-public" "kube-node-lease" .Release.Namespace) .Values.excludedNamespaces | uniq | toJson }}
{{- end }}

{{/* The Secret whose files are mounted; empty when podgate manages the certificate by itself. */}}
{{- define "podgate.certificateSecret" -}}
{{- if eq .Values.tls.mode "certManager" }}podgate-certificate{{ end }}
{{- if eq .Values.tls.mode "files" }}
{{- required "tls.existingSecret: tls.mode files needs the name of a Secret with tls.crt and tls.key" .Values.tls.existingSecret }}
{{- end }}
{{- end }}

{{- define "podgate.image" -}}
{{- if .Values.image.digest }}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) }}
{{- end }}
{{- end }}

{{/* Metadata of a webhook configuration, without its name. */}}
{{- define "podgate.configurationMetadata" -}}
labels:
  {{- include "podgate.labels" . | nindent 2 }}
  {{- if .Values.aks.disableEnforcer }}
  admissions.enforcer/disabled: "true"
  {{- end }}
{{- if eq .Values.tls.mode "certManager" }}
annotations:
  cert-manager.io/inject-ca-from: {{ .Release.Namespace }}/podgate
{{- end }}
{{- end }}

{{/* The guarded labels of Namespaces, separated by commas: for the guard, and for podgate, which warns of
policies that select by others. None if the guard is off. */}}
{{- define "podgate.guardedLabels" -}}
{{- if not .Values.labelGuard.enabled }}
{{- else if .Values.podSecurity.enabled }}
{{- $labels := list }}
{{- range list "enforce" "audit" "warn" }}
{{- $labels = concat $labels (list (printf "pod-security.kubernetes.io/%s" .) (printf "pod-security.kubernetes.io/%s-version" .)) }}
{{- end }}
{{- join "," $labels }}
{{- else }}
{{- join "," .Values.guardedLabels }}
{{- end }}
{{- end }}

{{/* Where policies decide: a namespace has the first of the guarded labels, unless namespaceSelector says otherwise. */}}
{{- define "podgate.namespaceSelector" -}}
{{- if not .Values.podSecurity.enabled }}
{{- if not .Values.guardedLabels }}
{{- fail "guardedLabels: name at least one label: with --reuse-values from an older chart give --reset-then-reuse-values" }}
{{- end }}
{{- $selector := .Values.namespaceSelector }}
{{- $expressions := $selector.matchExpressions }}
{{- if not (or $selector.matchLabels $expressions) }}
{{- $expressions = list (dict "key" (first .Values.guardedLabels) "operator" "Exists") }}
{{- end }}
{{- $guarded := append .Values.guardedLabels "kubernetes.io/metadata.name" }}
{{- $keys := keys ($selector.matchLabels | default dict) }}
{{- range $expressions }}
{{- $keys = append $keys .key }}
{{- end }}
{{- range $keys }}
{{- if not (has . $guarded) }}
{{- fail (printf "namespaceSelector: whoever may edit a Namespace could take it out of podgate's reach by the label %s: add it to guardedLabels" .) }}
{{- end }}
{{- end }}
{{- with $selector.matchLabels }}
matchLabels:
  {{- toYaml . | nindent 2 }}
{{- end }}
matchExpressions:
  {{- with $expressions }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- else }}
matchExpressions:
{{- end }}
  - key: kubernetes.io/metadata.name
    operator: NotIn
    values: {{ include "podgate.reserved" . }}
  {{- if .Values.aks.selectors }}
  - key: control-plane
    operator: NotIn
    values: ["true"]
  - key: kubernetes.azure.com/managedby
    operator: NotIn
    values: [aks]
  {{- end }}
{{- end }}

{{/* All other namespaces but the reserved ones. Where the first guarded label does not tell them apart, all are meant: a
pod that podgate is asked about twice stays as it is the second time. */}}
{{- define "podgate.otherNamespaces" -}}
matchExpressions:
  {{- if not (or .Values.namespaceSelector.matchLabels .Values.namespaceSelector.matchExpressions) }}
  - key: {{ first .Values.guardedLabels }}
    operator: DoesNotExist
  {{- end }}
  - key: kubernetes.io/metadata.name
    operator: NotIn
    values: {{ include "podgate.reserved" . }}
  {{- if .Values.aks.selectors }}
  - key: control-plane
    operator: NotIn
    values: ["true"]
  - key: kubernetes.azure.com/managedby
    operator: NotIn
    values: [aks]
  {{- end }}
{{- end }}

{{/* The settings of Azure workload identity, by their variables; only those that are set. */}}
{{- define "podgate.azureSettings" -}}
{{- $azure := .Values.identity.azure }}
{{- $binding := $azure.binding }}
{{- $all := dict "PODGATE_AZURE_TENANT_ID" $azure.tenantId "PODGATE_AZURE_ENVIRONMENT" $azure.environment "PODGATE_AZURE_LAYOUT" $azure.layout "PODGATE_AZURE_AUDIENCE" $azure.audience "PODGATE_AZURE_PROXY_IMAGE" $azure.proxyImage "PODGATE_AZURE_PROXY_INIT_IMAGE" $azure.proxyInitImage "PODGATE_AZURE_BINDING_SUFFIX" $binding.suffix "PODGATE_AZURE_BINDING_AUDIENCE" $binding.audience "PODGATE_AZURE_TOKEN_PROXY" $binding.tokenProxy "PODGATE_AZURE_SNI_NAME" $binding.sniName "PODGATE_AZURE_CA_DATA" $binding.caData "PODGATE_AZURE_CA_CONFIG_MAP" $binding.caConfigMap "PODGATE_AZURE_CA_SIGNER" $binding.caSigner "PODGATE_AZURE_CA_SELECTOR" $binding.caSelector }}
{{- $set := dict }}
{{- range $name, $value := $all }}
{{- if $value }}
{{- $set = set $set $name $value }}
{{- end }}
{{- end }}
{{- if and $set (not $azure.tenantId) }}
{{- fail "identity.azure: nothing of it holds without tenantId" }}
{{- end }}
{{- range $name, $value := $set }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end }}

{{/* What every webhook has. Takes root, path, settings (of .Values.webhooks) and condition, which may be nil; and namespaces,
a selector, if it is not that of the policies. */}}
{{- define "podgate.webhook" -}}
clientConfig:
  service:
    namespace: {{ .root.Release.Namespace }}
    name: podgate
    path: {{ .path }}
    port: 443
  {{- if eq .root.Values.tls.mode "files" }}
  caBundle: {{ required "tls.caBundle: tls.mode files needs the issuer's certificate, PEM in base64" .root.Values.tls.caBundle }}
  {{- end }}
namespaceSelector:
  {{- .namespaces | default (include "podgate.namespaceSelector" .root) | trim | nindent 2 }}
{{- $conditions := .settings.matchConditions }}
{{- with .condition }}
{{- $conditions = prepend $conditions . }}
{{- end }}
{{- with $conditions }}
matchConditions:
  {{- toYaml . | nindent 2 }}
{{- end }}
matchPolicy: Equivalent
sideEffects: None
failurePolicy: {{ .settings.failurePolicy }}
timeoutSeconds: {{ .settings.timeoutSeconds }}
admissionReviewVersions: [v1]
{{- end }}

{{/* The webhook for templates: asked about the kinds that podgate knows, of the groups that are chosen. In place of Pod
Security Admission it is asked about what that looks at, and always. */}}
{{- define "podgate.templates" -}}
{{- $settings := .Values.webhooks.templates }}
{{- $asked := .Files.Get "files/templates.yaml" | fromYaml }}
{{- $conditions := $asked.matchConditions }}
{{- $rules := $asked.rules }}
{{- if .Values.podSecurity.enabled }}
{{- if $settings.enforce }}
{{- fail "webhooks.templates.enforce and podSecurity.enabled: give one of the two; Pod Security Admission refuses pods alone" }}
{{- end }}
{{- $conditions = list }}
{{- $rules = list }}
{{- range $asked.rules }}
{{- if has (first .apiGroups) (list "" "apps" "batch") }}
{{- $rules = append $rules . }}
{{- end }}
{{- end }}
{{- end }}
{{- with $settings.groups }}
{{- $known := list }}
{{- $chosen := list }}
{{- $groups := . }}
{{- range $rules }}
{{- $known = append $known (first .apiGroups) }}
{{- if has (first .apiGroups) $groups }}
{{- $chosen = append $chosen . }}
{{- end }}
{{- end }}
{{- range $groups }}
{{- if not (has . $known) }}
{{- fail (printf "webhooks.templates.groups: podgate knows no kinds of %s; it knows those of %s" . (join ", " $known)) }}
{{- end }}
{{- end }}
{{- $rules = $chosen }}
{{- end }}
{{- $failurePolicy := $settings.failurePolicy }}
{{- $timeout := $settings.timeoutSeconds }}
{{- if $settings.enforce }}
{{- $failurePolicy = "Fail" }}
{{- $timeout = max 5 (int $timeout) }}
{{- end }}
{{- $conditions = concat $conditions $settings.matchConditions }}
{{- $settings = dict "failurePolicy" $failurePolicy "timeoutSeconds" $timeout "matchConditions" $conditions }}
{{- include "podgate.webhook" (dict "root" . "path" "/validate" "settings" $settings "condition" nil) }}
rules:
  {{- toYaml $rules | nindent 2 }}
{{- end }}
