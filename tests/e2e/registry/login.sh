#!/bin/bash
# Logging in: htpasswd, a token server, TLS with a private authority; and one clear line for what
# can go wrong with each.
. "$(dirname "$0")/../../lib.sh"
t_use registries

img=$T_TMP/img
t_case 'an image to push'
t_ok image_of "$img" login 3000000
digest=$(jq -r '.manifests[0].digest' "$img/index.json")
certificates "$T_TMP/tls"
export DOCKER_CONFIG=$T_TMP/docker
mkdir -p "$DOCKER_CONFIG"

login() {
	login_file "$DOCKER_CONFIG/config.json" "127.0.0.1:$reg_port" "$1"
}

push() {
	t_run "$WBUILD" push "oci:$img" "127.0.0.1:$reg_port/$1:t"
}

refused() {
	t_rc 1
	one_line_error "$err" || t_fail "not one error line: $err"
	t_match "$err" "$1"
	t_no_match "$err" 'pw-of-me|wrong-pw|identity-token'
}

# --- htpasswd over TLS ---

echo "$REG_HTPASSWD" >"$T_TMP/htpasswd"
REG_HTTP="  tls: {certificate: $T_TMP/tls/tls.pem, key: $T_TMP/tls/tls.key}"
if ! registry_start basic "auth: {htpasswd: {realm: tests, path: $T_TMP/htpasswd}}"; then
	t_case distribution
	t_missing registry
	exit
fi

t_case 'TLS: an authority that is not known is refused'
login "$(auth_of me pw-of-me)"
push basic
refused 'certificate'
t_match "$err" 'hint: .*(SSL_CERT_FILE|--ca-file)'

t_case 'TLS: with --ca-file it works, on loopback too'
t_run "$WBUILD" push --ca-file "$T_TMP/tls/ca.pem" "oci:$img" "127.0.0.1:$reg_port/basic:t"
t_rc 0
t_eq "$out" "$digest"

t_case 'TLS: with --tls-verify=false it works, and says so'
t_run "$WBUILD" push --tls-verify=false "oci:$img" "127.0.0.1:$reg_port/unchecked:t"
t_rc 0
t_eq "$(grep -c 'warning: the certificate of "127.0.0.1:[0-9]*" is not checked' <<<"$err")" 1
t_run "$WBUILD" inspect --tls-verify=false "127.0.0.1:$reg_port/unchecked:t"
t_rc 0
t_run "$WBUILD" inspect --tls-verify=perhaps "127.0.0.1:$reg_port/unchecked:t"
t_rc 2

t_case 'TLS: a certificate for another name is refused'
certificates "$T_TMP/other" DNS:elsewhere.example
tls_port=$reg_port
REG_HTTP="  tls: {certificate: $T_TMP/other/tls.pem, key: $T_TMP/other/tls.key}" registry_start other
t_run "$WBUILD" push --ca-file "$T_TMP/other/ca.pem" "oci:$img" "127.0.0.1:$reg_port/basic:t"
refused 'SSL: no alternative certificate subject name matches'
reg_port=$tls_port

export SSL_CERT_FILE=$T_TMP/tls/ca.pem

t_case 'TLS: with SSL_CERT_FILE it works'
push basic
t_rc 0

t_case 'basic: no login'
rm "$DOCKER_CONFIG/config.json"
push basic2
refused 'wants a login, and there is none'
t_match "$err" 'hint: .*log in'

t_case 'basic: wrong password'
login "$(auth_of me wrong-pw)"
push basic2
refused 'refused the login of "me"'
t_match "$err" "hint: .*$DOCKER_CONFIG/config.json"

t_case 'basic: a credential helper'
mkdir -p "$T_TMP/bin"
cat >"$T_TMP/bin/docker-credential-tests" <<'END'
#!/bin/sh
read -r server
printf '{"ServerURL":"%s","Username":"me","Secret":"pw-of-me"}' "$server"
END
chmod +x "$T_TMP/bin/docker-credential-tests"
echo '{"credsStore": "tests"}' >"$DOCKER_CONFIG/config.json"
PATH=$T_TMP/bin:$PATH push basic2
t_rc 0

t_case 'basic: a helper that is not there is named when the registry refuses'
echo '{"credsStore": "missing"}' >"$DOCKER_CONFIG/config.json"
push basic3
refused 'wants a login'
t_match "$err" 'hint: .*docker-credential-missing'

t_case 'basic: REGISTRY_AUTH_FILE'
login_file "$T_TMP/auth.json" "127.0.0.1:$reg_port" "$(auth_of me pw-of-me)"
REGISTRY_AUTH_FILE=$T_TMP/auth.json push basic3
t_rc 0

t_case 'basic: the password appears nowhere with -vv'
t_run env REGISTRY_AUTH_FILE="$T_TMP/auth.json" "$WBUILD" push -vv "oci:$img" \
	"127.0.0.1:$reg_port/basic4:t"
t_rc 0
t_no_match "$out$err" 'pw-of-me'
t_no_match "$out$err" "$(printf 'me:pw-of-me' | base64 -w0)"
t_not grep -rq 'pw-of-me' "$WBUILD_CACHE_DIR"
unset SSL_CERT_FILE REG_HTTP

# --- a token server ---

token_port=$(t_port)
openssl genrsa -out "$T_TMP/token.key" 2048 2>/dev/null
python3 "$T_SRC/tests/servers/tokenserver.py" --key "$T_TMP/token.key" --jwks "$T_TMP/jwks.json"
token_server() {
	: >"$T_TMP/tokens.txt"
	t_bg token-server python3 "$T_SRC/tests/servers/tokenserver.py" --listen "$token_port" \
		--key "$T_TMP/token.key" --user me:pw-of-me --deny-push no/way --log "$T_TMP/tokens.txt" \
		"$@"
	token_pid=$t_bg_pid
	t_wait_port "$token_port"
}
token_server
registry_start token "auth: {token: {realm: 'http://127.0.0.1:$token_port/token', service: registry, issuer: tests, jwks: $T_TMP/jwks.json}}"

t_case 'token: push and anonymous pull'
login "$(auth_of me pw-of-me)"
push team/model
t_rc 0
t_eq "$out" "$digest"
rm "$DOCKER_CONFIG/config.json"
t_run "$WBUILD" pull "127.0.0.1:$reg_port/team/model:t" "oci:$T_TMP/pulled:t"
t_rc 0
t_eq "$out" "$digest"

t_case 'token: mounting asks for both repositories in one token'
login "$(auth_of me pw-of-me)"
push team/second
t_rc 0
t_match "$err" ' 0 B moved'
t_match "$(<"$T_TMP/tokens.txt")" \
	'repository:team/second:pull,push repository:team/model:pull|repository:team/model:pull repository:team/second:pull,push'

t_case 'token: few tokens for a whole push'
: >"$T_TMP/tokens.txt"
push team/third
t_rc 0
t_le "$(wc -l <"$T_TMP/tokens.txt")" 3 tokens

t_case 'token: wrong password'
login "$(auth_of me wrong-pw)"
: >"$T_TMP/tokens.txt"
push team/model4
refused 'refused the login of "me"'
t_match "$err" 'incorrect username or password'
t_le "$(wc -l <"$T_TMP/tokens.txt")" 1 'tries'

t_case 'token: no permission'
login "$(auth_of me pw-of-me)"
push no/way
refused 'does not allow this to "me"'

t_case 'token: an identity token, by POST'
login '{"identitytoken": "identity-token-of-me"}'
: >"$T_TMP/tokens.txt"
push team/identity
t_rc 0
t_match "$(<"$T_TMP/tokens.txt")" '^POST me'

t_case 'token: an identity token that is no longer good'
login '{"identitytoken": "identity-token-of-old"}'
push team/identity2
refused 'refused the login'

t_case 'token: a server that knows POST only'
kill "$token_pid"
wait "$token_pid" 2>/dev/null
token_server --post-only
login "$(auth_of me pw-of-me)"
push team/post
t_rc 0
kill "$token_pid"
wait "$token_pid" 2>/dev/null

t_case 'token: tokens that end during a long upload'
token_server --life 2
t_ok image_of "$T_TMP/long" long 60000000
t_run "$WBUILD" push --limit-rate 40MB "oci:$T_TMP/long" "127.0.0.1:$reg_port/team/long:t"
t_rc 0
[ "$(grep -c 'team/long:pull,push' "$T_TMP/tokens.txt")" -ge 2 ] || t_fail 'the token never ended'
