#!/bin/bash
# What goes wrong at a registry is one clear line, exit status 1, and no storm of tries.
. "$(dirname "$0")/../../lib.sh"
t_use registries

img=$T_TMP/img
t_case 'an image to push'
t_ok image_of "$img" messages 3000000

if ! registry_start reg; then
	t_case distribution
	t_missing registry
	exit
fi
proxy_start "$reg_port"

push() {
	t_run timeout 120 "$WBUILD" push "oci:$img" "127.0.0.1:$proxy_port/$1:t"
}

one_line() {
	t_rc 1
	one_line_error "$err" || t_fail "not one error line: $err"
	t_match "$err" "^wbuild: error: .*$1"
	[ -z "$2" ] || t_match "$err" "^wbuild: hint: .*$2"
	t_le "$(($(stat_of refused)))" "$3" tries
}

again() {
	kill "$t_bg_pid"
	wait "$t_bg_pid" 2>/dev/null
	rm -f "$T_TMP/stats.json"
	proxy_start "$reg_port"
}

t_case 'not allowed (403)'
faults '{"refuse": ["(POST|PUT) .*/blobs", 403],
	"refuse_body": "{\"errors\":[{\"code\":\"DENIED\",\"message\":\"requested access to the resource is denied\"}]}"}'
push a
one_line '403 \(DENIED: requested access' 'without a login' 8

t_case 'a quota'
again
faults '{"refuse": ["PUT .*/blobs", 403],
	"refuse_body": "{\"errors\":[{\"code\":\"DENIED\",\"message\":\"adding 3 MiB would exceed the quota of 1 MiB\"}]}"}'
push b
one_line 'quota of 1 MiB' 'raise the quota' 8

t_case 'too many requests (429), for ever'
again
faults '{"refuse": ["PUT .*/blobs", 429], "retry_after": 0,
	"refuse_body": "{\"errors\":[{\"code\":\"TOOMANYREQUESTS\",\"message\":\"slow down\"}]}"}'
push c
one_line 'TOOMANYREQUESTS: slow down' 'again later' 40

t_case 'too many requests, twice: waited for'
again
faults '{"refuse": ["P[A-Z]* ", 429], "retry_after": 1, "refuse_times": 2}'
push d
t_rc 0

t_case 'a registry that is down for a moment'
again
faults '{"refuse": [".", 503], "retry_after": 1, "refuse_times": 3}'
push e
t_rc 0

t_case 'a manifest that is refused'
again
faults '{"refuse": ["PUT .*/manifests", 400],
	"refuse_body": "{\"errors\":[{\"code\":\"MANIFEST_INVALID\",\"message\":\"no such type\"}]}"}'
push f
one_line 'MANIFEST_INVALID: no such type' '' 3

t_case 'a disk that is full'
if [ "$(id -u)" = 0 ] && mkdir -p "$T_TMP/small" &&
	mount -t tmpfs -o size=2m tmpfs "$T_TMP/small" 2>/dev/null; then
	t_at_end umount "$T_TMP/small"
	registry_start small
	t_run timeout 120 "$WBUILD" push "oci:$img" "127.0.0.1:$reg_port/full:t"
	t_rc 1
	one_line_error "$err" || t_fail "not one error line: $err"
	t_match "$err" 'error: .*disk of "127.0.0.1:[0-9]*" is full'
	t_match "$err" 'hint: free some space on the registry'
	kill "$reg_pid"
	wait "$reg_pid" 2>/dev/null
else
	t_skip 'mounting a small file system needs root'
fi

t_case 'nobody there'
t_run "$WBUILD" push "oci:$img" "127.0.0.1:$(t_port)/x:t"
t_rc 1
t_match "$err" 'error: .*(connect|refused)'

t_case 'no such tag, no such repository'
t_run "$WBUILD" pull "127.0.0.1:$proxy_port/nope:t" "oci:$T_TMP/none"
t_rc 1
t_match "$err" '404 \((MANIFEST|NAME)_UNKNOWN'

t_case 'a layer past the limit of a known registry is refused before anything is sent'
t_ok image_of "$T_TMP/large" large 1000
mkdir -p "$T_TMP/fake/blobs/sha256"
python3 - "$T_TMP/large" <<'END'
import hashlib, json, os, sys
d = sys.argv[1]
index = json.load(open(d + "/index.json"))
m = json.load(open(d + "/blobs/" + index["manifests"][0]["digest"].replace(":", "/")))
m["layers"][0]["size"] = 10 * 10**9 + 1
text = json.dumps(m).encode()
h = hashlib.sha256(text).hexdigest()
open(d + "/blobs/sha256/" + h, "wb").write(text)
index["manifests"][0].update(digest="sha256:" + h, size=len(text))
json.dump(index, open(d + "/index.json", "w"))
END
t_run "$WBUILD" push "oci:$T_TMP/large" ghcr.io/nobody/nothing:t
t_rc 1
t_match "$err" 'GitHub Container Registry.* takes at most 10.0 GB'
t_match "$err" 'hint: .*--registry-limits off'
