#!/bin/bash
# timeout: 7200
# Builds one after the other on one store: models that change, every kind of output, sources on real
# servers, and faults at random (signals, networks, full disks, damaged files, prunes, twins). What
# succeeds is right, what fails says so, and nothing is left over: no file, lock or process.
# BUILDS=N sets how many (40, and 1,000 with WBUILD_TEST_FULL=1); SEED=N repeats the choices of a run;
# SOAK_VERBOSE=1 prints each build. What does not hold is printed with the seed, the build and the
# faults, and a copy of everything as it was at the first defect stays in out/soak-SEED or SOAK_KEEP.
. "$(dirname "$0")/../lib.sh"
t_use images
t_use trees
t_use registries
t_use sources
unset "${!AWS_@}"
export AWS_EC2_METADATA_DISABLED=true HF_TOKEN_PATH=/nonexistent

builds=40
[ -z "${WBUILD_TEST_FULL:-}" ] || builds=1000
builds=${BUILDS:-$builds}
seed=${SEED:-$RANDOM$RANDOM}
echo "# seed $seed"

t_case 'the servers start'
sources_start hub web s3 || exit 0
registry_start registry || { t_missing registry; exit 0; }
proxy_start "$reg_port"
export AWS_ENDPOINT_URL_S3=$S3_URL SSL_CERT_FILE=$T_TMP/tls/ca.pem WBUILD PYTHONPATH=$T_SRC/tests/lib
export PYTHONDONTWRITEBYTECODE=1
w=$T_TMP/soak
mkdir -p "$w/small"
if mount -t tmpfs -o size=64m tmpfs "$w/small" 2>/dev/null; then
	t_at_end umount "$w/small"
else
	t_note 'cannot mount a tmpfs here: no disk will be full'
fi
printf '{"aws_access_key_id": "%s", "aws_secret_access_key": "%s"}' "$S3_KEY" "$S3_SECRET" >"$w/s3.json"
jq -n --arg hub "$HUB_URL" --arg web "$WEB_URL" --arg www "$T_TMP/www" --arg s3 "$S3_URL" \
	--arg key "$S3_KEY" --arg secret "$S3_SECRET" --arg file "$w/s3.json" --arg reg "$reg_port" \
	--arg proxy "$proxy_port" --arg faults "$T_TMP/faults.json" '{
		hub: $hub, web: {url: $web, folder: $www},
		s3: {url: $s3, key: $key, secret: $secret, file: $file},
		registry: $reg, proxy: {port: $proxy, faults: $faults}}' >"$w/servers.json"

t_case "$builds builds: what succeeds is right, what fails says so, and nothing is left"
"$(t_peer moto)/bin/python" "$T_SRC/tests/lib/soak.py" "$w" "$builds" "$seed" "$w/servers.json" || t_fail 'see above'
