# shellcheck shell=bash
# Real registries on loopback, and what stands between them and a client: t_use registries

# The password of "me" is "pw-of-me"; distribution takes bcrypt only.
REG_HTPASSWD='me:$2y$05$lTiUi.HAf03SF.nyYrQuEeUkjbk6fDn.72f6eqoL5.vuiJhWNIFF6'

# registry_start NAME [YAML-LINE...]: CNCF distribution with storage in $T_TMP/NAME; $reg_port has
# its port. The lines are added to its config at the top level; REG_HTTP='...' adds to http.
registry_start() {
	local name=$1 binary

	shift
	binary=$(t_peer registry) || return
	reg_port=$(t_port)
	mkdir -p "$T_TMP/$name"
	{
		printf '%s\n' 'version: 0.1' 'log: {level: error}' 'storage:' \
			"  filesystem: {rootdirectory: $T_TMP/$name}" '  delete: {enabled: true}' \
			'http:' "  addr: 127.0.0.1:$reg_port" '  secret: tests' ${REG_HTTP:+"$REG_HTTP"} \
			"$@"
	} >"$T_TMP/$name.yml"
	# It reads variables named REGISTRY_... as its config.
	t_bg "$name" env -u REGISTRY_AUTH_FILE OTEL_TRACES_EXPORTER=none "$binary" serve "$T_TMP/$name.yml"
	reg_pid=$t_bg_pid
	t_wait_port "$reg_port"
}

# zot_start NAME: zot with storage in $T_TMP/NAME; $reg_port has its port.
zot_start() {
	local binary

	binary=$(t_peer zot) || return
	reg_port=$(t_port)
	cat >"$T_TMP/$1.json" <<-END
		{"distSpecVersion": "1.0.1", "storage": {"rootDirectory": "$T_TMP/$1", "gc": false},
		 "http": {"address": "127.0.0.1", "port": "$reg_port"}, "log": {"level": "error"}}
	END
	t_bg "$1" "$binary" serve "$T_TMP/$1.json"
	reg_pid=$t_bg_pid
	t_wait_port "$reg_port"
}

# proxy_start UPSTREAM-PORT: a fault proxy; $proxy_port has its port.
proxy_start() {
	proxy_port=$(t_port)
	faults '{}'
	t_bg proxy python3 "$T_SRC/tests/servers/faultproxy.py" --listen "$proxy_port" \
		--upstream "$1" --faults "$T_TMP/faults.json" --stats "$T_TMP/stats.json"
	proxy_pid=$t_bg_pid
	t_wait_port "$proxy_port"
}

# faults JSON: how the proxy behaves from now on; its counts start anew only with the proxy.
faults() {
	echo "$1" >"$T_TMP/faults.new"
	mv "$T_TMP/faults.new" "$T_TMP/faults.json"
}

# stat_of KEY: a count of the proxy's; sent_bytes: all bodies that clients sent.
stat_of() {
	jq -r --arg k "$1" '.[$k] // 0' "$T_TMP/stats.json"
}

sent_bytes() {
	jq '[to_entries[] | select(.key == "bytes PATCH" or .key == "bytes PUT" or
		.key == "bytes POST") | .value] | add // 0' "$T_TMP/stats.json"
}

# certificates DIR [NAMES]: a private authority (ca.pem) and a certificate of it for 127.0.0.1, or
# the names (tls.pem, tls.key).
certificates() {
	mkdir -p "$1"
	(
		cd "$1" || exit
		openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 \
			-subj '/CN=tests' &&
			openssl req -newkey rsa:2048 -nodes -keyout tls.key -out tls.csr \
				-subj '/CN=127.0.0.1' &&
			echo "subjectAltName=${2:-IP:127.0.0.1,DNS:localhost}" >ext &&
			openssl x509 -req -in tls.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
				-extfile ext -out tls.pem
	) >"$1/log" 2>&1
}

# login_file FILE HOST JSON: a config.json with one entry.
login_file() {
	printf '{"auths": {"%s": %s}}\n' "$2" "$3" >"$1"
}

# auth_of USER PASSWORD: as docker writes it.
auth_of() {
	printf '{"auth": "%s"}' "$(printf '%s:%s' "$1" "$2" | base64 -w0)"
}

# image_of DIR SEED BYTES [OPTION...]: a weights-only image with one layer of random bytes of so
# many, in the layout DIR.
image_of() {
	local dir=$1 seed=$2 bytes=$3

	shift 3
	mkdir -p "$dir.src/data"
	openssl enc -aes-128-ctr -nosalt -pbkdf2 -iter 1 -pass "pass:$seed" </dev/zero 2>/dev/null |
		head -c "$bytes" >"$dir.src/data/weights.bin"
	printf 'model_name: test\n' >"$dir.src/config.yaml"
	"$WBUILD" build -q --base scratch "$@" -o "type=oci,tar=false,dest=$dir" "$dir.src"
}

# one_line_error MESSAGES: exactly one error line, and besides it only hints, notes and the plain
# progress ("#1 …").
one_line_error() {
	[ "$(grep -c '^wbuild: error: ' <<<"$1")" = 1 ] && ! grep -qvE '^(wbuild: |#|$)' <<<"$1"
}
