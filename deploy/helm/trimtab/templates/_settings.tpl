{{/* How many processes; several without coordination would only wait for each other. */}}
{{- define "trimtab.replicas" -}}
{{- $is_coordinated := ne .Values.coordination.mode "none" -}}
{{- $replicas := ternary 2 1 $is_coordinated -}}
{{- if not (kindIs "invalid" .Values.replicas) -}}
{{- $replicas = int .Values.replicas -}}
{{- end -}}
{{- if and (gt $replicas 1) (not $is_coordinated) -}}
{{- fail (printf "replicas is %d and coordination.mode none: all but one would wait for the journal; set coordination.mode to kubernetes or postgresql, or replicas to 1" $replicas) -}}
{{- end -}}
{{- $replicas -}}
{{- end -}}

{{/* "true" where the journal is on a volume claim. */}}
{{- define "trimtab.hasClaim" -}}
{{- $is_coordinated := ne .Values.coordination.mode "none" -}}
{{- $has_claim := not $is_coordinated -}}
{{- if not (kindIs "invalid" .Values.persistence.enabled) -}}
{{- $has_claim = .Values.persistence.enabled -}}
{{- end -}}
{{- if and $has_claim $is_coordinated -}}
{{- fail (printf "persistence.enabled is true and coordination.mode %s: processes cannot share the file of a journal; leave persistence.enabled out" .Values.coordination.mode) -}}
{{- end -}}
{{- if $has_claim -}}true{{- end -}}
{{- end -}}

{{/* The settings file: what follows from the values, and over it what `settings` says. */}}
{{- define "trimtab.settings" -}}
{{- $mode := .Values.coordination.mode -}}
{{- $database := .Values.coordination.database -}}
{{- if and (eq $mode "postgresql") (not $database.secret) -}}
{{- fail "coordination.mode is postgresql and no database is named; set coordination.database.secret to a Secret with its address" -}}
{{- end -}}
{{- $dsn := printf "/run/secrets/%s/%s" $database.secret $database.key -}}
{{- $settings := dict "policies" "/etc/trimtab/policies" "listen" (printf "%s:%d" (ternary "[::]" "0.0.0.0" .Values.ipv6) (int .Values.service.port)) "log" (dict "format" "json") -}}
{{- if .Values.accounts -}}
{{- $accounts := dict -}}
{{- range $id, $account := .Values.accounts -}}
{{- $one := dict "api_key_file" (printf "/run/secrets/%s/%s" $account.secret (default "api-key" $account.key)) -}}
{{- if $account.baseUrl -}}
{{- $_ := set $one "base_url" $account.baseUrl -}}
{{- end -}}
{{- if $account.proxy -}}
{{- $_ := set $one "proxy" $account.proxy -}}
{{- end -}}
{{- $_ := set $accounts $id $one -}}
{{- end -}}
{{- $_ := set $settings "accounts" $accounts -}}
{{- end -}}
{{- if .Values.workloads.enabled -}}
{{- $kinds := list "deployments.apps" "statefulsets.apps" -}}
{{- range .Values.workloads.kinds -}}
{{- $kinds = append $kinds (printf "%s.%s" .resource .group) -}}
{{- end -}}
{{- $cluster := dict "namespaces" .Values.workloads.namespaces "workloads" $kinds -}}
{{- $_ := set $settings "clusters" (dict .Values.workloads.cluster (mustMergeOverwrite $cluster (deepCopy .Values.workloads.settings))) -}}
{{- end -}}
{{- if .Values.controlToken.secret -}}
{{- $_ := set $settings "control" (dict "http" "token" "token_file" (printf "/run/secrets/%s/%s" .Values.controlToken.secret .Values.controlToken.key)) -}}
{{- end -}}
{{- /* Releases in one namespace are groups of their own. */}}
{{- $group := include "trimtab.fullname" . | trunc 40 | trimSuffix "-" -}}
{{- if eq $mode "postgresql" -}}
{{- $_ := set $settings "journal" (dict "postgresql" (dict "url_file" $dsn)) -}}
{{- $_ := set $settings "coordination" (mustMergeOverwrite (dict "service" $mode "postgresql" (dict "url_file" $dsn)) (deepCopy .Values.coordination.settings)) -}}
{{- else -}}
{{- $_ := set $settings "journal" (dict "path" "/var/lib/trimtab/journal.db") -}}
{{- if eq $mode "kubernetes" -}}
{{- $_ := set $settings "coordination" (mustMergeOverwrite (dict "service" $mode "kubernetes" (dict "namespace" .Release.Namespace "group" $group)) (deepCopy .Values.coordination.settings)) -}}
{{- end -}}
{{- end -}}
{{- toYaml (mustMergeOverwrite $settings (deepCopy .Values.settings)) -}}
{{- end -}}

{{/* The names of all Secrets to mount, each once, in a fixed order. */}}
{{- define "trimtab.secrets" -}}
{{- $names := .Values.secrets -}}
{{- range $id, $account := .Values.accounts -}}
{{- $names = append $names $account.secret -}}
{{- end -}}
{{- if .Values.controlToken.secret -}}
{{- $names = append $names .Values.controlToken.secret -}}
{{- end -}}
{{- if eq .Values.coordination.mode "postgresql" -}}
{{- $names = append $names .Values.coordination.database.secret -}}
{{- end -}}
{{- toJson ($names | uniq | sortAlpha) -}}
{{- end -}}

{{/* How long the pod may take to end; refused where a clean stop takes longer. */}}
{{- define "trimtab.graceSeconds" -}}
{{- $grace := int .Values.terminationGracePeriodSeconds -}}
{{- $timeout := default "10s" .Values.settings.shutdown_timeout | toString -}}
{{- if not (regexMatch "^([0-9]+([.][0-9]+)?(ms|s|m))+$" $timeout) -}}
{{- fail (printf "settings.shutdown_timeout is %s, which is no duration of at most 5m; write it as in 10s or 1m30s" $timeout) -}}
{{- end -}}
{{- $seconds := 0.0 -}}
{{- range regexFindAll "[0-9.]+[ms]+" $timeout -1 -}}
{{- $unit := get (dict "ms" 0.001 "s" 1.0 "m" 60.0) (regexFind "[ms]+$" .) -}}
{{- $seconds = addf $seconds (mulf (regexFind "^[0-9.]+" . | float64) $unit) -}}
{{- end -}}
{{- /* The journal limits its own time, which comes on top. */}}
{{- $needed := add 5 (ceil $seconds | int) -}}
{{- if lt $grace (int $needed) -}}
{{- fail (printf "terminationGracePeriodSeconds is %d, and a clean stop takes up to %d s (settings.shutdown_timeout %s and 5 s for the journal): it would be killed in a write; set %d or more" $grace $needed $timeout $needed) -}}
{{- end -}}
{{- $grace -}}
{{- end -}}

{{/* The TCP ports that a closed network lets out to: those of the values, and what other values name. */}}
{{- define "trimtab.egressPorts" -}}
{{- $ports := list -}}
{{- range .Values.networkPolicy.egressPorts -}}
{{- $ports = append $ports (int .) -}}
{{- end -}}
{{- if eq .Values.coordination.mode "postgresql" -}}
{{- $ports = append $ports (int .Values.coordination.database.port) -}}
{{- end -}}
{{- range $id, $account := .Values.accounts -}}
{{- with coalesce $account.proxy $account.baseUrl -}}
{{- $url := urlParse . -}}
{{- $port := regexFind ":[0-9]+$" $url.host | trimPrefix ":" -}}
{{- $ports = append $ports (default (ternary 443 80 (eq $url.scheme "https")) (int $port)) -}}
{{- end -}}
{{- end -}}
{{- toJson (uniq $ports) -}}
{{- end -}}
