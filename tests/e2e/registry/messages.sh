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
	t_run timeout 300 "$WBUILD" push "oci:$img" "127.0.0.1:$proxy_port/$1:t"
}

one_line() {
	t_rc 1
	one_line_error "$err" || t_fail "not one error line: $err"
	t_match "$err" "^wbuild: error: .*$1"
	[ -z "$2" ] || t_match "$err" "^wbuild: hint: .*$2"
	t_le "$(($(stat_of refused)))" "$3" tries
}

again() {
	kill "$proxy_pid"
	wait "$proxy_pid" 2>/dev/null
	rm -f "$T_TMP/stats.json"
	proxy_start "$reg_port"
}

# All that the proxy has seen since it started.
requests() {
	jq '[to_entries[] | select(.key | startswith("requests ")) | .value] | add // 0' \
		"$T_TMP/stats.json"
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

# Four blobs at once, each of which may ask in two ways; with the usual five tries more it was 26.
t_case 'a full disk, said by each request that opens an upload: no other try'
again
faults '{"refuse": ["POST ", 500],
	"refuse_body": "{\"errors\":[{\"code\":\"UNKNOWN\",\"message\":\"unknown error\",\"detail\":{\"Op\":\"mkdir\",\"Err\":28}}]}"}'
push g
one_line 'disk of "127.0.0.1:[0-9]*" is full' 'free some space on the registry' 8

t_case 'a quota of requests in a minute (429): waited for'
again
faults '{"refuse": ["PUT .*/blobs", 429], "retry_after": 0, "refuse_times": 2,
	"refuse_body": "{\"errors\":[{\"code\":\"TOOMANYREQUESTS\",\"message\":\"Quota exceeded for quota metric \\\"Requests\\\"\"}]}"}'
push h
t_rc 0

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
	real_port=$reg_port
	registry_start small
	small_pid=$reg_pid reg_port=$reg_port
	again
	push full
	t_rc 1
	one_line_error "$err" || t_fail "not one error line: $err"
	t_match "$err" 'error: .*disk of "127.0.0.1:[0-9]*" is full'
	t_match "$err" 'hint: free some space on the registry'
	t_le "$(requests)" 25 requests
	kill "$small_pid"
	wait "$small_pid" 2>/dev/null
	reg_port=$real_port
	again
else
	t_skip 'mounting a small file system needs root'
fi

# --- logins, counted ---

plain_port=$reg_port
echo "$REG_HTPASSWD" >"$T_TMP/htpasswd"
registry_start basic "auth: {htpasswd: {realm: tests, path: $T_TMP/htpasswd}}"
again

t_case 'a wrong password is tried once'
login_file "$T_TMP/auth.json" "127.0.0.1:$proxy_port" "$(auth_of me wrong-pw)"
export REGISTRY_AUTH_FILE=$T_TMP/auth.json
push a
one_line 'refused the login of "me"' '' 0
t_le "$(requests)" 6 requests

token_port=$(t_port)
openssl genrsa -out "$T_TMP/token.key" 2048 2>/dev/null
python3 "$T_SRC/tests/servers/tokenserver.py" --key "$T_TMP/token.key" --jwks "$T_TMP/jwks.json"
t_bg tokens python3 "$T_SRC/tests/servers/tokenserver.py" --listen "$token_port" --stale \
	--key "$T_TMP/token.key" --user me:pw-of-me --log "$T_TMP/tokens.txt"
t_wait_port "$token_port"
registry_start token "auth: {token: {realm: 'http://127.0.0.1:$token_port/token', service: registry, issuer: tests, jwks: $T_TMP/jwks.json}}"
again

t_case 'a token that is out of date however often it is asked for'
login_file "$T_TMP/auth.json" "127.0.0.1:$proxy_port" "$(auth_of me pw-of-me)"
push a
one_line 'does not accept the token that .* just gave' 'clocks' 0
t_le "$(requests)" 12 requests
t_le "$(wc -l <"$T_TMP/tokens.txt")" 6 tokens
unset REGISTRY_AUTH_FILE
reg_port=$plain_port
again

t_case 'a registry without TLS where TLS is wanted'
outer=$(hostname -I 2>/dev/null | awk '{ print $1 }')
if [ -n "$outer" ]; then
	outer_port=$(t_port)
	sed "s/addr: .*/addr: 0.0.0.0:$outer_port/" "$T_TMP/reg.yml" >"$T_TMP/outer.yml"
	t_bg outer "$(t_peer registry)" serve "$T_TMP/outer.yml"
	t_wait_port "$outer_port"
	t_run timeout 300 "$WBUILD" push "oci:$img" "$outer:$outer_port/a:t"
	t_rc 1
	one_line_error "$err" || t_fail "not one error line: $err"
	t_match "$err" 'hint: .*--plain-http'
	t_run timeout 300 "$WBUILD" push -vv "oci:$img" "$outer:$outer_port/a:t"
	t_no_match "$err" 'before the next try'
	t_run "$WBUILD" push --plain-http "oci:$img" "$outer:$outer_port/a:t"
	t_rc 0
else
	t_skip 'this machine has no address but loopback'
fi

t_case '--limit-rate is shared by all workers, and one alone has all of it'
# One of five is not held up by something else. A quarter of the rate would take 6 s, and so much more
# as this machine needs without a limit.
for i in 1 2 3 4 5; do
	t_ok image_of "$T_TMP/rate$i" "rate$i" 30000000
	t_time "$WBUILD" push --limit-rate 20MB "oci:$T_TMP/rate$i" "127.0.0.1:$reg_port/rate:t"
	t_rc 0
	limited=$ms limit=3500
	[ "$limited" -ge 1300 ] || t_fail "30 MB at 20 MB/s took $limited ms"
	[ "$limited" -gt $limit ] || break
	t_ok image_of "$T_TMP/free$i" "free$i" 30000000
	t_time "$WBUILD" push "oci:$T_TMP/free$i" "127.0.0.1:$reg_port/rate:t"
	limit=$((limit + ms))
	[ "$limited" -gt $limit ] || break
done
t_le "$limited" $limit 'milliseconds for 30 MB at 20 MB/s'

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
