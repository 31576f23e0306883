#!/bin/bash
# No secret of any kind gets out: servers that say everything back, at the highest verbosity and in
# each form of progress; memory, environment and arguments of the process; TLS that is not good
# enough. What builds that succeed leave behind is searched in sources/stores.sh too.
. "$(dirname "$0")/../lib.sh"
t_use registries
t_use trees

# --- every kind of secret, each with a value of its own -------------------------------------------

r=${T_TMP##*.}
declare -A value=(
	[HF_TOKEN]=hf_0aA1${r}hubtokenhubtokenhubtok
	[aws_secret]="aws/secret+key/$r/with+slashes/0123456789"
	[aws_session]="aws-session-token-$r=="
	[azure_key]="azure key of 32 bytes: $r"
	[azure_sas]="sigsigsig${r}sigsigsigsigsigsigsigsig1234567890A"
	[baseten]="baseten-key-$r"
	[https_bearer]="https-bearer-$r"
	[https_basic]="https-user:https-passw0rd-$r"
	[registry]="registry passw0rd/$r"
	[identity]="identity-token-$r"
	[helper]="helper-passw0rd-$r"
	[other]="other-secret-0-$r"
	[proxy]="proxy-passw0rd-$r"
)
openssl genrsa -traditional -out "$T_TMP/google.pem" 2048 2>/dev/null
{
	for name in "${!value[@]}"; do printf '%s=%s\n' "$name" "${value[$name]}"; done
	printf 'google=%s\n' "$(sed -n 3p "$T_TMP/google.pem")"
} >"$T_TMP/values"

# hunt WHAT PATH...: nothing of it below the paths. Sums up what was looked at.
hunted=0 hunted_bytes=0 leaks=0 runs=0 redacted=0 under_way=0
hunt() {
	local what=$1 said rc=0 n b f

	shift
	said=$(python3 "$T_SRC/tests/lib/hunt.py" "$T_TMP/values" "$@") || rc=$?
	[ $rc = 0 ] || t_fail "$what: $(head -c 1500 <<<"$said")"
	read -r n b f < <(sed -n '$s/.* \([0-9]*\) files, \([0-9]*\) bytes, \([0-9]*\) found/\1 \2 \3/p' <<<"$said")
	hunted=$((hunted + n)) hunted_bytes=$((hunted_bytes + b)) leaks=$((leaks + f))
}

t_case 'the hunt finds a seeded leak in each form and place'
seeded=0
for form in 'cat' 'base64 -w0' 'gzip -c' 'zstd -qc' 'jq -Rs .' 'jq -Rrs @uri' 'xxd -p -c 999'; do
	for name in registry aws_secret; do
		mkdir -p "$T_TMP/leak"
		printf 'user:%s and more' "${value[$name]}" | $form >"$T_TMP/leak/file"
		t_not python3 "$T_SRC/tests/lib/hunt.py" "$T_TMP/values" "$T_TMP/leak"
		seeded=$((seeded + 1))
	done
done
rm "$T_TMP/leak/file"
ln -s "x-${value[baseten]}" "$T_TMP/leak/link"
t_not python3 "$T_SRC/tests/lib/hunt.py" "$T_TMP/values" "$T_TMP/leak"
rm "$T_TMP/leak/link"
: >"$T_TMP/leak/name-${value[baseten]}"
t_not python3 "$T_SRC/tests/lib/hunt.py" "$T_TMP/values" "$T_TMP/leak"
rm -r "$T_TMP/leak"
seeded=$((seeded + 2))

# --- servers that say everything back -------------------------------------------------------------

t_bg echo python3 "$T_SRC/tests/servers/echostub.py"
t_wait 120 grep -q '^echo' "$T_TMP/echo.log" || exit 1
ECHO=$(sed -n 's/^echo //p' "$T_TMP/echo.log")
ECHO_HOST=${ECHO#http://}
mode() {
	requests=$(curl -sSf --max-time 120 "$ECHO/-/mode/$1")
}

s=$T_TMP/given
mkdir "$s" "$T_TMP/docker"
jq -n --arg k "${value[aws_secret]}" --arg t "${value[aws_session]}" '{aws_access_key_id: "AKIAWBUILDTESTS00000",
	aws_secret_access_key: $k, aws_session_token: $t, aws_region: "us-east-1"}' >"$s/aws"
jq -n --rawfile k "$T_TMP/google.pem" --arg u "$ECHO/token" '{type: "service_account",
	client_email: "a@b.example", private_key_id: "1", private_key: $k, token_uri: $u}' >"$s/google"
jq -n --arg k "$(printf %s "${value[azure_key]}" | base64 -w0)" '{account_key: $k}' >"$s/azure"
jq -n --arg k "sv=2022-11-02&se=2030-01-01&sp=r&sig=${value[azure_sas]}%3D" '{sas_token: $k}' >"$s/sas"
printf %s "${value[https_bearer]}" >"$s/web"
printf 'Basic %s' "$(printf %s "${value[https_basic]}" | base64 -w0)" >"$s/basic"
printf %s "${value[other]}" >"$s/other"
given=()
for one in "$s"/*; do given+=(--secret "id=${one##*/},src=$one"); done
export HF_TOKEN=${value[HF_TOKEN]} HF_ENDPOINT=$ECHO AWS_ENDPOINT_URL=$ECHO STORAGE_EMULATOR_HOST=$ECHO
export BASETEN_API_URL=$ECHO BASETEN_API_KEY=${value[baseten]} DOCKER_CONFIG=$T_TMP/docker
export AZURE_STORAGE_CONNECTION_STRING="AccountName=acct;BlobEndpoint=$ECHO/acct"
export HTTPS_PROXY="http://someone:${value[proxy]}@127.0.0.1:9/"

login() {
	jq -n --arg h "$ECHO_HOST" --argjson e "$1" '{auths: {($h): $e}}' >"$DOCKER_CONFIG/config.json"
}
basic=$(jq -n --arg a "$(printf 'me:%s' "${value[registry]}" | base64 -w0)" '{auth: $a}')

# attempt SOURCE [SECRET] [OPTION...]: a build with this one source; everything it writes is kept.
attempt() {
	local d=$T_TMP/try source=$1 secret=${2:-}

	shift 2 2>/dev/null || shift
	rm -rf "$d"
	mkdir -p "$d/data"
	{
		printf 'model_name: tried\nweights:\n  - source: "%s"\n    mount_location: /m\n' "$source"
		[ -z "$secret" ] ||
			printf '    auth: {auth_method: CUSTOM_SECRET, auth_secret_name: %s}\n' "$secret"
	} >"$d/config.yaml"
	echo hello >"$d/data/here.txt"
	t_run timeout 300 "$WBUILD" build --insecure "${given[@]}" "$@" --metadata-file "$d/metadata.json" \
		-o "type=oci,tar=false,dest=$d/image" "$d"
	cp "$T_TMP/.out" "$d/stdout"
	cp "$T_TMP/.err" "$d/stderr"
	redacted=$((redacted + $(grep -c '\*\*\*' "$d/stderr")))
	runs=$((runs + 1))
	[ "$rc" -gt 0 ] && [ "$rc" -lt 4 ] || t_fail "exit status $rc of $source"
	hunt "$source" "$d"
}

sources=('hf://acme/tiny' 's3://bucket/m aws' 'gs://bucket/m google' 'azure://acct/container/m azure'
	'azure://acct/container/m sas' 'bt://project@job/step-1' "$ECHO/private/one.bin web"
	"$ECHO/private/one.bin basic")
forms=(plain rawjson)
[ -z "${WBUILD_TEST_FULL:-}" ] || forms+=(tty quiet)
modes=(403 redirect ok)
[ -z "${WBUILD_TEST_FULL:-}" ] || modes+=(401 404 400)
for m in "${modes[@]}"; do
	t_case "sources whose servers say back what they were sent: $m"
	mode "$m"
	before=$requests i=0
	for one in "${sources[@]}"; do
		read -r source secret <<<"$one"
		# a file that is never what was announced is tried again and again, for half a minute
		[ -n "${WBUILD_TEST_FULL:-}" ] || [ "$m $source" != "ok $ECHO/private/one.bin" ] || continue
		# the form of progress in turn, all of them in the full test
		i=$((i + 1))
		for ((k = 0; k < ${#forms[@]}; k++)); do
			[ -n "${WBUILD_TEST_FULL:-}" ] || [ $k = $((i % ${#forms[@]})) ] || continue
			attempt "$source" "$secret" -vv --progress "${forms[k]}"
		done
	done
	mode "$m"
	[ $((requests - before)) -ge $i ] || t_fail "only $((requests - before)) requests"
done

# pushing AUTH-JSON: to a registry that says everything back.
printf 'model_name: pushed\n' >"$T_TMP/config.yaml"
mkdir -p "$T_TMP/truss/data"
mv "$T_TMP/config.yaml" "$T_TMP/truss/"
head -c 3000000 /dev/urandom >"$T_TMP/truss/data/w.bin"
pushing() {
	rm -rf "$T_TMP/push"
	mkdir "$T_TMP/push"
	login "$1"
	t_run timeout 300 "$WBUILD" build -vv --progress plain "${given[@]}" --push -t "$ECHO_HOST/a/b:c" \
		--metadata-file "$T_TMP/push/metadata.json" "$T_TMP/truss"
	cp "$T_TMP/.err" "$T_TMP/push/stderr"
	cp "$T_TMP/.out" "$T_TMP/push/stdout"
	redacted=$((redacted + $(grep -c '\*\*\*' "$T_TMP/push/stderr")))
	runs=$((runs + 1))
	t_rc 1
	hunt 'a push' "$T_TMP/push"
}

t_case 'a registry that says back the login'
for m in login 401 400; do
	mode $m
	pushing "$basic"
	pushing "$(jq -n --arg t "${value[identity]}" '{identitytoken: $t}')"
done
mkdir "$T_TMP/bin"
printf '#!/bin/sh\nenv >%s\nread -r server\nprintf %s\n' "$T_TMP/helper.env" \
	"'{\"Username\": \"me\", \"Secret\": \"${value[helper]}\"}'" >"$T_TMP/bin/docker-credential-tests"
chmod +x "$T_TMP/bin/docker-credential-tests"
mode login
rm -rf "$T_TMP/push"
mkdir "$T_TMP/push"
echo '{"credsStore": "tests"}' >"$DOCKER_CONFIG/config.json"
t_run env "PATH=$T_TMP/bin:$PATH" "$WBUILD" build -vv --push -t "$ECHO_HOST/a/b:c" "$T_TMP/truss"
t_rc 1
printf '%s' "$err" >"$T_TMP/push/stderr"
hunt 'a push with a helper' "$T_TMP/push"

t_case 'a credential helper gets no token of a hub'
t_match "$(<"$T_TMP/helper.env")" '^PATH='
t_no_match "$(<"$T_TMP/helper.env")" '^(HF_TOKEN|BASETEN_API_KEY)='

t_case 'the store holds none of them after all that'
hunt 'the store' "$WBUILD_CACHE_DIR"

# --- a process at work ----------------------------------------------------------------------------

t_case 'arguments, environment block and core of a running build hold none'
mode hang
login "$basic"
export AWS_SECRET_ACCESS_KEY=${value[aws_secret]} WBUILD_SECRET_mine=${value[other]}
(
	ulimit -c unlimited
	cd "$T_TMP" && exec "$WBUILD" build -vv "${given[@]}" --push -t "$ECHO_HOST/a/b:c" "$T_TMP/truss"
) >"$T_TMP/hanging.log" 2>&1 &
build_pid=$!
hangs() {
	mode hang && [ "$requests" -gt "$1" ]
}
mode hang
t_ok t_wait 50 hangs $((requests + 1))
mkdir "$T_TMP/process"
cp "/proc/$build_pid/cmdline" "/proc/$build_pid/environ" "$T_TMP/process/"
t_le 100 "$(stat -c %s "$T_TMP/process/environ")" 'bytes of environment that are there'
hunt 'the process' "$T_TMP/process"
# As root, and so past what keeps the user's other processes out.
if python3 "$T_SRC/tests/lib/core_of.py" "$build_pid" "$T_TMP/core" 2>/dev/null; then
	t_le 1000000 "$(stat -c %s "$T_TMP/core")" 'bytes of core'
	grep -qa "wbuild: debug" "$T_TMP/core" || t_fail 'the core does not look like one'
	# The head of the request that is under way is libcurl's for so long; nothing else may be there.
	said=$(python3 "$T_SRC/tests/lib/hunt.py" "$T_TMP/values" "$T_TMP/core")
	under_way=$(grep -c 'Authorization: Basic' <<<"$said")
	t_eq "$(sed '$d' <<<"$said" | grep -v 'Authorization: Basic')" '' 'secrets in the core'
	t_le "$under_way" 1 'requests under way in the core'
else
	t_skip 'this root may not look into memory'
fi
kill -ABRT "$build_pid"
wait "$build_pid" 2>/dev/null
t_eq "$(find "$T_TMP" -maxdepth 1 -name 'core*' ! -name core | head -n 1)" '' 'a core file'
unset AWS_SECRET_ACCESS_KEY WBUILD_SECRET_mine

# --- what a build that succeeds leaves --------------------------------------------------------------

t_case 'a build and a push that succeed leave none behind'
if registry_start plain; then
	d=$T_TMP/good
	cp -r "$T_TMP/truss" "$d"
	cp "$s/google" "$d/data/service_account.json"
	cp "$s/aws" "$d/data/s3_credentials.json"
	t_run "$WBUILD" build -vv "${given[@]}" --push -t "127.0.0.1:$reg_port/a/b:c" \
		-o "type=oci,tar=false,dest=$T_TMP/out" -o "type=docker,dest=$T_TMP/out.tar" \
		-o "type=local,dest=$T_TMP/plain" --compression gzip --label ok=fine \
		--metadata-file "$T_TMP/metadata.json" "$d"
	t_rc 0
	printf %s "$err" >"$T_TMP/good.stderr"
	t_run "$WBUILD" inspect "oci:$T_TMP/out" --html "$T_TMP/page.html"
	t_rc 0
	t_eq "$(cd "$T_TMP/plain" && find app -type f)" app/data/w.bin 'files of the bundle'
	hunt 'a good build' "$T_TMP/out" "$T_TMP/out.tar" "$T_TMP/plain" "$T_TMP/metadata.json" \
		"$T_TMP/good.stderr" "$T_TMP/page.html" "$WBUILD_CACHE_DIR" "$T_TMP/plain"
else
	t_missing registry
fi

# --- TLS --------------------------------------------------------------------------------------------

unset HTTPS_PROXY
rm "$DOCKER_CONFIG/config.json"
certificates "$T_TMP/tls"
export SSL_CERT_FILE=$T_TMP/tls/ca.pem
t_ok "$WBUILD" build --base scratch --no-stub -o "type=oci,tar=false,dest=$T_TMP/img" "$T_TMP/truss"

# An authority's certificate that ended yesterday.
(
	cd "$T_TMP/tls" || exit
	: >index.txt
	printf '[ca]\ndefault_ca=a\n[a]\nnew_certs_dir=.\ndatabase=index.txt\npolicy=p\nrand_serial=yes\n' >ca.cnf
	printf 'default_md=sha256\n[p]\ncommonName=supplied\n' >>ca.cnf
	openssl ca -batch -config ca.cnf -in tls.csr -out expired.pem -cert ca.pem -keyfile ca.key \
		-extfile ext -startdate 20200101000000Z -enddate 20200102000000Z -notext
	openssl req -x509 -newkey rsa:2048 -nodes -keyout self.key -out self.pem -days 2 \
		-subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1
) >/dev/null 2>&1
certificates "$T_TMP/tls-other" DNS:elsewhere.example

# tls_case WHAT WANTED CERTIFICATE KEY [OPTION...]: a source and a registry behind such a server.
tls_case() {
	local what=$1 wanted=$2 cert=$3 key=$4

	shift 4
	t_case "TLS: $what is refused by sources and registries"
	tls_port=$(t_port)
	t_bg tls openssl s_server -quiet -accept "127.0.0.1:$tls_port" -cert "$cert" -key "$key" -www "$@"
	local pid=$t_bg_pid

	t_wait_port "$tls_port" || t_fail 'no server'
	rm -rf "$T_TMP/tlstry"
	mkdir "$T_TMP/tlstry"
	printf 'weights:\n  - source: https://127.0.0.1:%s/x.bin\n    mount_location: /m\n' "$tls_port" \
		>"$T_TMP/tlstry/config.yaml"
	t_run timeout 300 "$WBUILD" build -o "type=local,dest=$T_TMP/tlstry/out" "$T_TMP/tlstry"
	t_rc 1
	t_match "$err" "$wanted"
	t_run timeout 300 "$WBUILD" push "oci:$T_TMP/img" "127.0.0.1:$tls_port/a/b:c"
	t_rc 1
	t_match "$err" "$wanted"
	tls_refused=$((tls_refused + 2))
	kill "$pid"
	wait "$pid" 2>/dev/null
}
tls_refused=0
tls_case 'version 1.1' 'alert protocol version|unsupported protocol|no protocols' "$T_TMP/tls/tls.pem" \
	"$T_TMP/tls/tls.key" -tls1_1 -cipher ALL:@SECLEVEL=0
tls_case 'a certificate that has ended' 'expired' "$T_TMP/tls/expired.pem" "$T_TMP/tls/tls.key"
tls_case 'a certificate that vouches for itself' 'self.signed' "$T_TMP/tls/self.pem" "$T_TMP/tls/self.key"
SSL_CERT_FILE=$T_TMP/tls-other/ca.pem tls_case 'a certificate of another host' \
	'no alternative certificate subject name|does not match' "$T_TMP/tls-other/tls.pem" \
	"$T_TMP/tls-other/tls.key"

t_case 'the servers were heard, and what they said was redacted'
t_le 5 "$redacted" 'lines with something redacted'

echo "# counts secrets: $(wc -l <"$T_TMP/values") secrets, $runs runs against servers that say all back, $redacted" \
	"lines redacted," \
	"$under_way heads of requests in a core, $hunted files searched, $((hunted_bytes / 1000000)) MB searched, $leaks leaks, $seeded seeded leaks" \
	"found, $tls_refused TLS servers refused"
