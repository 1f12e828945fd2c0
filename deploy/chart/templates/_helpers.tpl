{{- define "treaty.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* The name of the objects: that of the release, with that of the chart unless it contains it. */}}
{{- define "treaty.fullname" -}}
{{- $name := include "treaty.name" . }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "treaty.selectorLabels" -}}
app.kubernetes.io/name: {{ include "treaty.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "treaty.labels" -}}
{{ include "treaty.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "treaty.image" -}}
{{ .Values.broker.image.repository }}:{{ .Values.broker.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "treaty.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "treaty.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "treaty.isSqlite" -}}
{{- $adapter := .Values.database.adapter | default (ternary "postgres" "sqlite" (ne .Values.database.host "")) }}
{{- if eq $adapter "sqlite" }}true{{ end }}
{{- end }}

{{- define "treaty.hosts" -}}
{{- .Values.ingress.hosts | default (compact (list .Values.ingress.host)) | toJson }}
{{- end }}

{{- define "treaty.baseUrl" -}}
{{- $hosts := include "treaty.hosts" . | fromJsonArray }}
{{- if .Values.broker.config.baseUrl }}
{{- .Values.broker.config.baseUrl }}
{{- else if .Values.ingress.enabled }}
{{- $scheme := ternary "https" "http" .Values.ingress.tls.enabled }}
{{- range $index, $host := $hosts }}{{ if $index }} {{ end }}{{ $scheme }}://{{ $host }}{{ end }}
{{- end }}
{{- end }}

{{/* End with the reason if the values contradict each other: pods would start, and never be ready. */}}
{{- define "treaty.check" -}}
{{- $config := .Values.broker.config }}
{{- $isSqlite := include "treaty.isSqlite" . }}
{{- if and (not $isSqlite) (not .Values.database.host) }}
{{- fail "database.host is missing: set it to the host of PostgreSQL, or set database.adapter to sqlite." }}
{{- end }}
{{- if and (not $isSqlite) (not .Values.database.databaseName) }}
{{- fail "database.databaseName is missing: set it to the name of Treaty's database in PostgreSQL." }}
{{- end }}
{{- if and (not $isSqlite) (not $config.secretKey.value) (not $config.secretKey.existingSecret) }}
{{- fail "broker.config.secretKey is missing: all pods need the same key to decrypt secrets in the database. Create one with `kubectl create secret generic treaty-key --from-literal=secret-key=\"$(openssl rand -base64 32)\"`, and set broker.config.secretKey.existingSecret to treaty-key." }}
{{- end }}
{{- if and $isSqlite (or (gt (int .Values.broker.replicaCount) 1) .Values.broker.autoscaling.enabled) }}
{{- fail "SQLite serves a single pod: set database.host to PostgreSQL, or broker.replicaCount to 1 and broker.autoscaling.enabled to false." }}
{{- end }}
{{- if and $isSqlite $config.databaseClean.enabled (eq $config.databaseClean.mode "external") }}
{{- fail "A clean-up in a pod of its own cannot reach SQLite: set broker.config.databaseClean.mode to embedded." }}
{{- end }}
{{- if not (has $config.databaseClean.mode (list "embedded" "external")) }}
{{- fail (printf "broker.config.databaseClean.mode must be embedded or external, but is %q." $config.databaseClean.mode) }}
{{- end }}
{{- if or .Values.broker.startupProbe.enabled .Values.broker.livenessProbe.enabled .Values.broker.readinessProbe.enabled }}
{{- if not (and $config.basicAuth.publicHeartbeat $config.enableDiagnosticEndpoints) }}
{{- fail "The probes need broker.config.basicAuth.publicHeartbeat and broker.config.enableDiagnosticEndpoints: set both to true, or disable the three probes." }}
{{- end }}
{{- end }}
{{- if and $config.basicAuth.enabled (not $config.basicAuth.writeUser.existingSecret) (not (and $config.basicAuth.writeUser.username $config.basicAuth.writeUser.password)) }}
{{- fail "broker.config.basicAuth.writeUser is missing: set its username and password, or its existingSecret with the two keys." }}
{{- end }}
{{- end }}

{{/* An environment variable from a value, or from a key of an existing secret: a list of name, value, secret and key. */}}
{{- define "treaty.secretVariable" -}}
{{- $name := index . 0 }}
- name: {{ $name }}
  valueFrom:
    secretKeyRef:
      name: {{ index . 1 }}
      key: {{ index . 2 }}
{{- end }}

{{- define "treaty.databaseVariables" -}}
{{- $config := .Values.broker.config }}
{{- if include "treaty.isSqlite" . }}
{{- $name := .Values.database.databaseName | default "treaty.sqlite" }}
- name: PACT_BROKER_DATABASE_ADAPTER
  value: sqlite
- name: PACT_BROKER_DATABASE_NAME
  value: {{ ternary $name (printf "/var/lib/treaty/%s" $name) (hasPrefix "/" $name) | quote }}
{{- else }}
- name: PACT_BROKER_DATABASE_ADAPTER
  value: postgres
- name: PACT_BROKER_DATABASE_HOST
  value: {{ .Values.database.host | quote }}
{{- with .Values.database.port }}
- name: PACT_BROKER_DATABASE_PORT
  value: {{ . | quote }}
{{- end }}
- name: PACT_BROKER_DATABASE_NAME
  value: {{ .Values.database.databaseName | quote }}
{{- with .Values.database.auth.username }}
- name: PACT_BROKER_DATABASE_USERNAME
  value: {{ . | quote }}
{{- end }}
{{- if .Values.database.auth.existingSecret }}
{{- include "treaty.secretVariable" (list "PACT_BROKER_DATABASE_PASSWORD" .Values.database.auth.existingSecret .Values.database.auth.existingSecretPasswordKey) }}
{{- else if .Values.database.auth.password }}
{{- include "treaty.secretVariable" (list "PACT_BROKER_DATABASE_PASSWORD" (include "treaty.fullname" .) "database-password") }}
{{- end }}
- name: PACT_BROKER_DATABASE_SSLMODE
  value: {{ $config.databaseSslmode | quote }}
- name: PACT_BROKER_DATABASE_MAX_CONNECTIONS
  value: {{ $config.databaseMaxConnections | quote }}
- name: PACT_BROKER_DATABASE_POOL_TIMEOUT
  value: {{ $config.databasePoolTimeout | quote }}
{{- if not (kindIs "invalid" $config.databaseConnectMaxRetries) }}
- name: PACT_BROKER_DATABASE_CONNECT_MAX_RETRIES
  value: {{ $config.databaseConnectMaxRetries | quote }}
{{- end }}
{{- end }}
{{- end }}

{{- define "treaty.logVariables" -}}
- name: PACT_BROKER_LOG_LEVEL
  value: {{ .Values.broker.config.logLevel | quote }}
- name: PACT_BROKER_LOG_FORMAT
  value: {{ .Values.broker.config.logFormat | quote }}
{{- end }}

{{- define "treaty.cleanVariables" -}}
{{- with .Values.broker.config.databaseClean }}
- name: PACT_BROKER_DATABASE_CLEAN_DELETION_LIMIT
  value: {{ int64 .deletionLimit | quote }}
- name: PACT_BROKER_DATABASE_CLEAN_OVERWRITTEN_DATA_MAX_AGE
  value: {{ int64 .overwrittenDataMaxAge | quote }}
{{- with .keepVersionSelectors }}
- name: PACT_BROKER_DATABASE_CLEAN_KEEP_VERSION_SELECTORS
  value: {{ . | quote }}
{{- end }}
- name: PACT_BROKER_DATABASE_CLEAN_DRY_RUN
  value: {{ .dryRun | quote }}
{{- end }}
{{- end }}

{{/* A user of basic authentication: a list of the root, the values of the user, the name of variables, and keys. */}}
{{- define "treaty.userVariables" -}}
{{- $root := index . 0 }}{{ $user := index . 1 }}{{ $prefix := index . 2 }}{{ $key := index . 3 }}
{{- if $user.existingSecret }}
{{- include "treaty.secretVariable" (list (printf "%s_USERNAME" $prefix) $user.existingSecret $user.existingSecretUsernameKey) }}
{{- include "treaty.secretVariable" (list (printf "%s_PASSWORD" $prefix) $user.existingSecret $user.existingSecretPasswordKey) }}
{{- else if $user.username }}
- name: {{ $prefix }}_USERNAME
  value: {{ $user.username | quote }}
{{- include "treaty.secretVariable" (list (printf "%s_PASSWORD" $prefix) (include "treaty.fullname" $root) $key) }}
{{- end }}
{{- end }}

{{- define "treaty.variables" -}}
{{- $config := .Values.broker.config }}
{{ include "treaty.logVariables" . }}
{{- include "treaty.databaseVariables" . }}
{{- if $config.secretKey.existingSecret }}
{{- include "treaty.secretVariable" (list "PACT_BROKER_SECRET_KEY" $config.secretKey.existingSecret $config.secretKey.existingSecretKey) }}
{{- else if $config.secretKey.value }}
{{- include "treaty.secretVariable" (list "PACT_BROKER_SECRET_KEY" (include "treaty.fullname" .) "secret-key") }}
{{- end }}
{{- if $config.basicAuth.enabled }}
{{- include "treaty.userVariables" (list . $config.basicAuth.writeUser "PACT_BROKER_BASIC_AUTH" "write-password") }}
{{- include "treaty.userVariables" (list . $config.basicAuth.readUser "PACT_BROKER_BASIC_AUTH_READ_ONLY" "read-password") }}
{{- end }}
{{- $variables := dict
  "PACT_BROKER_ALLOW_PUBLIC_READ" $config.basicAuth.allowPublicRead
  "PACT_BROKER_PUBLIC_HEARTBEAT" $config.basicAuth.publicHeartbeat
  "PACT_BROKER_ENABLE_PUBLIC_BADGE_ACCESS" $config.basicAuth.enablePublicBadgeAccess
  "PACT_BROKER_WEBHOOK_RETRY_SCHEDULE" $config.webhookRetrySchedule
  "PACT_BROKER_WEBHOOK_HTTP_METHOD_WHITELIST" $config.webhookHttpMethodWhitelist
  "PACT_BROKER_WEBHOOK_HTTP_CODE_SUCCESS" $config.webhookHttpCodeSuccess
  "PACT_BROKER_WEBHOOK_SCHEME_WHITELIST" $config.webhookSchemeWhitelist
  "PACT_BROKER_WEBHOOK_HOST_WHITELIST" $config.webhookHostWhitelist
  "PACT_BROKER_DISABLE_SSL_VERIFICATION" $config.disable_ssl
  "PACT_BROKER_PORT" .Values.broker.containerPorts.http
  "PACT_BROKER_BASE_URLS" (include "treaty.baseUrl" .)
  "PACT_BROKER_TRUSTED_PROXIES" $config.trustedProxies
  "PACT_BROKER_SHIELDS_IO_BASE_URL" $config.shieldsIoBaseUrl
  "PACT_BROKER_BADGE_PROVIDER_MODE" $config.badgeProviderMode
  "PACT_BROKER_ENABLE_DIAGNOSTIC_ENDPOINTS" $config.enableDiagnosticEndpoints
  "PACT_BROKER_CHECK_FOR_POTENTIAL_DUPLICATE_PACTICIPANT_NAMES" $config.checkForPotentialDuplicatePacticipantNames
  "PACT_BROKER_CREATE_DEPLOYED_VERSIONS_FOR_TAGS" $config.createDeployedVersionsForTags
  "PACT_BROKER_USE_FIRST_TAG_AS_BRANCH" $config.useFirstTagAsBranch
  "PACT_BROKER_AUTO_DETECT_MAIN_BRANCH" $config.autoDetectMainBranch
  "PACT_BROKER_MAIN_BRANCH_CANDIDATES" $config.mainBranchCandidates
  "PACT_BROKER_ALLOW_DANGEROUS_CONTRACT_MODIFICATION" $config.allowDangerousContractModification
  "PACT_BROKER_PACT_CONTENT_DIFF_TIMEOUT" $config.pactContentDiffTimeout
  "PACT_BROKER_FEATURES" $config.features
  "PACT_BROKER_SHUTDOWN_DELAY" $config.shutdownDelay
}}
{{- range $name, $value := $variables }}
{{- if not (or (kindIs "invalid" $value) (eq (toString $value) "")) }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end }}
{{- if and $config.databaseClean.enabled (eq $config.databaseClean.mode "embedded") }}
- name: PACT_BROKER_DATABASE_CLEAN_ENABLED
  value: "true"
- name: PACT_BROKER_DATABASE_CLEAN_CRON_SCHEDULE
  value: {{ $config.databaseClean.cronSchedule | quote }}
{{- include "treaty.cleanVariables" . }}
{{- end }}
{{- end }}
