{{- define "ndauth.name" -}}
{{- default .Chart.Name .Values.nameOverride }}
{{- end }}

{{- /* At most 57 characters, so that a suffix fits. */}}
{{- define "ndauth.fullname" -}}
{{- $name := include "ndauth.name" . }}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) }}
{{- default $full .Values.fullnameOverride | trunc 57 | trimSuffix "-" }}
{{- end }}

{{- define "ndauth.selector" -}}
app.kubernetes.io/name: {{ include "ndauth.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "ndauth.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "ndauth.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "ndauth.image" -}}
{{- $image := .Values.image }}
{{- if $image.digest }}
{{- printf "%s@%s" $image.repository $image.digest }}
{{- else }}
{{- printf "%s:%s" $image.repository (default .Chart.AppVersion $image.tag) }}
{{- end }}
{{- end }}

{{- /* True if the data folder is a claim. */}}
{{- define "ndauth.hasClaim" -}}
{{- if or (eq .Values.database.kind "sqlite") .Values.persistence.enabled }}true{{ end }}
{{- end }}

{{- /* The rest of the time is a margin. */}}
{{- define "ndauth.gracePeriod" -}}
{{- add .Values.stopDelaySeconds .Values.drainSeconds 5 }}
{{- end }}

{{- /* The settings that the chart makes of its values, as lines of ndauthd.toml. */}}
{{- define "ndauth.ownSettings" -}}
listen = "0.0.0.0:7711"
admin-listen = "0.0.0.0:7712"
public-url = {{ .Values.publicUrl | quote }}
data-folder = "/var/lib/ndauth"
{{- if eq .Values.database.kind "postgres" }}
database = {{ .Values.database.url | quote }}
database-password-file = {{ printf "/etc/ndauth/database/%s" .Values.database.passwordKey | quote }}
{{- else }}
database = "sqlite:/var/lib/ndauth/ndauth.db"
{{- end }}
{{- if .Values.tls.existingSecret }}
tls-certificate = "/etc/ndauth/tls/tls.crt"
tls-key = "/etc/ndauth/tls/tls.key"
{{- end }}
{{- if .Values.plaintextBeyondLoopback }}
plaintext-beyond-loopback = true
{{- end }}
drain-seconds = {{ int64 .Values.drainSeconds }}
{{- end }}

{{- define "ndauth.settings" -}}
{{ include "ndauth.ownSettings" . }}
{{- range $key, $value := .Values.settings }}
{{ $key }} = {{ if kindIs "float64" $value }}{{ int64 $value }}{{ else }}{{ toJson $value }}{{ end }}
{{- end }}
{{- end }}

{{- /* Refuses values that the schema cannot judge, or could not explain. */}}
{{- define "ndauth.check" -}}
{{- $values := .Values }}
{{- $database := $values.database }}
{{- if not $values.image.repository }}
{{- fail "set `image.repository` to the image of ndauthd, as your cluster pulls it" }}
{{- end }}
{{- if not $values.publicUrl }}
{{- fail "set `publicUrl` to the URL under which browsers and clients reach the server, such as https://auth.example.org" }}
{{- end }}
{{- if not $database.kind }}
{{- fail "set `database.kind` to `postgres`, or to `sqlite` for one instance with its own disk" }}
{{- end }}
{{- if and (not $values.tls.existingSecret) (not $values.plaintextBeyondLoopback) }}
{{- fail "set `tls.existingSecret` to a secret with a certificate; or say `plaintextBeyondLoopback: true`, if something in front of the pods encrypts what crosses the network" }}
{{- end }}
{{- if and $values.tls.existingSecret $values.plaintextBeyondLoopback }}
{{- fail "`plaintextBeyondLoopback` permits plain text, and `tls.existingSecret` encrypts: leave one out" }}
{{- end }}
{{- if eq $database.kind "sqlite" }}
{{- if gt (int64 $values.replicaCount) 1 }}
{{- fail "a SQLite file is for one instance: set `replicaCount` to 1, or `database.kind` to `postgres`" }}
{{- end }}
{{- range $key := list "url" "existingSecret" "caSecret" }}
{{- if get $database $key }}
{{- fail (printf "`database.%s` is for PostgreSQL, and `database.kind` is `sqlite`" $key) }}
{{- end }}
{{- end }}
{{- else }}
{{- if not $database.url }}
{{- fail "set `database.url` to the URL of PostgreSQL, such as postgres://ndauth@db.example.org/ndauth?sslmode=verify-full" }}
{{- end }}
{{- if or (regexMatch "^[a-z]+://[^/?]*:[^/?]*@" $database.url) (regexMatch "[?&]password=" $database.url) }}
{{- fail "`database.url` holds a password, which everyone who may read ConfigMaps would see: keep it in a secret, and set `database.existingSecret`" }}
{{- end }}
{{- if not $database.existingSecret }}
{{- fail "set `database.existingSecret` to the secret that holds the password for PostgreSQL" }}
{{- end }}
{{- if and $database.caSecret (not (contains "sslrootcert=/etc/ndauth/database-ca/" $database.url)) }}
{{- fail (printf "`database.caSecret` has no effect: add `sslmode=verify-full&sslrootcert=/etc/ndauth/database-ca/%s` to the parameters of `database.url`" $database.caKey) }}
{{- end }}
{{- if and (contains "sslrootcert=/etc/ndauth/database-ca/" $database.url) (not $database.caSecret) }}
{{- fail "`database.url` names a file of `database.caSecret`, which is not set" }}
{{- end }}
{{- if and $values.persistence.enabled (gt (int64 $values.replicaCount) 1) (not $values.persistence.existingClaim) (ne (join "," $values.persistence.accessModes) "ReadWriteMany") }}
{{- fail "all instances share the claim: set `persistence.accessModes` to [ReadWriteMany], or leave `persistence.enabled` out" }}
{{- end }}
{{- end }}
{{- range $line := splitList "\n" (include "ndauth.ownSettings" .) }}
{{- $key := first (splitList " " $line) }}
{{- if hasKey $values.settings $key }}
{{- fail (printf "the chart sets `%s` itself, from its other values: leave it out of `settings`" $key) }}
{{- end }}
{{- end }}
{{- range $key := list "tls-certificate" "tls-key" "plaintext-beyond-loopback" "database-password-file" }}
{{- if hasKey $values.settings $key }}
{{- fail (printf "the chart sets `%s` itself, from its other values: leave it out of `settings`" $key) }}
{{- end }}
{{- end }}
{{- if and $values.serviceMonitor.enabled $values.networkPolicy.enabled (not $values.networkPolicy.scrapers) }}
{{- fail "`serviceMonitor` is on, and the NetworkPolicy admits no scraper: list it in `networkPolicy.scrapers`" }}
{{- end }}
{{- end }}
