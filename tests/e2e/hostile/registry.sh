#!/bin/bash
# timeout: 3000
# A registry that lies, against every command that talks to one.
. "$(dirname "$0")/../../lib.sh"
t_use images
t_use registries
t_use hostile

H_SECRETS=(pw-of-me "$(printf me:pw-of-me | base64)")
hostile_start
export DOCKER_CONFIG=$T_TMP/docker SSL_CERT_FILE=$T_TMP/tls/ca.pem
mkdir "$DOCKER_CONFIG"
auth=$(auth_of me pw-of-me)
printf '{"auths": {"127.0.0.1:%s": %s, "127.0.0.1:%s": %s}}\n' "$H_MAIN" "$auth" "$H_TLS" "$auth" \
	>"$DOCKER_CONFIG/config.json"
m=$T_TMP/model
mkdir -p "$m/data"
echo '{}' >"$m/data/settings.json"
echo 'model_name: hostile' >"$m/config.yaml"
t_ok "$WBUILD" build -q --base scratch -t m:v1 -o "type=oci,tar=false,dest=$T_TMP/img" "$m"

# reading CASE RC REGEX [PORT [INSPECT-RC INSPECT-REGEX]]: every command that reads images; two of them in the small form.
reading() {
	local case=$1 rc=$2 match=$3 ref=127.0.0.1:${4:-$H_MAIN}/$1/img:v1

	try "pull $case" "$rc" "$match" "$WBUILD" pull -q "$ref" "oci:{}/dest"
	try "base $case" "$rc" "$match" \
		"$WBUILD" build -q --base "$ref" --no-stub -o "type=oci,tar=false,dest={}/dest" "$m"
	[ "$H_FULL" ] || return
	try "inspect $case" "${5:-$rc}" "${6:-$match}" "$WBUILD" inspect "$ref"
	try "verify $case" "$rc" "$match" "$WBUILD" verify "$ref"
	try "copy $case" "$rc" "$match" "$WBUILD" copy "docker://$ref" "docker-archive:{}/dest"
	try "archive $case" "$rc" "$match" "$WBUILD" pull -q "$ref" "oci-archive:{}/dest"
}

for one in honest honest-index auth-honest auth-basic auth-token-other; do
	try "pull $one" 0 . "$WBUILD" pull -q "127.0.0.1:$H_MAIN/$one/img:v1" "oci:{}/dest"
	try "base $one" 0 . "$WBUILD" build --base "127.0.0.1:$H_MAIN/$one/img:v1" --no-stub \
		-o "type=oci,tar=false,dest={}/dest" "$m"
done
try 'pull honest over tls' 0 . "$WBUILD" pull "127.0.0.1:$H_TLS/honest/img:v1" "oci:{}/dest"
try 'pull honest-nested' 0 . "$WBUILD" pull "127.0.0.1:$H_MAIN/honest-nested/img:v1" "oci:{}/dest"
hostile_run 'honest twins'

for one in layer-size-{huge,overflow,negative,lowest,float,text,none} \
	layer-digest-{short,path,upper,md5} layer-type-{control,long} layer-data-lies config-size-huge \
	config-missing layers-{object,text,30000,million} schema-{1,huge} \
	both-layers-and-manifests type-says-index served-as-{index,html} \
	json-{deep,deep-object,brackets,pairs,objects,names,duplicate,number,exponent,nul,nul-escape} \
	json-{utf8,surrogate,overlong,truncated,trailing,array,null,empty,string} \
	index-{blobs,wide,children-text,child-missing,child-size,nested-20,nested-1000}; do
	reading "$one" '1 3' 'error: '
done
hostile_run 'manifests and indexes that lie'

for one in config-{digest-other,size-larger,size-smaller}; do reading "$one" '1 3' 'error: '; done
# inspect reads no layer
for one in layer-{digest-other,size-larger,size-smaller}; do
	reading "$one" '1 3' 'error: ' "$H_MAIN" 0 .
done
# What is only copied is not read.
for one in config-{deep,pairs,large,no-platform,not-object,env,labels,os,diff-ids,diff-id-text} \
	config-{history,history-text} index-empty; do
	reading "$one" '0 1 3' '.|^$'
	try "base $one" 1 'error: ' \
		"$WBUILD" build --base "127.0.0.1:$H_MAIN/$one/img:v1" --no-stub -o "type=oci,tar=false,dest={}/dest" "$m"
done
hostile_run 'image configs and blobs that lie'

# Whatever is asked for: the manifest, the config, the layer.
transport=(endless-{body,space,chunks,declared,error,headers,header-line,status-line,informational}
	endless-{early-hints,trailers,redirect-body} headers-10000 header-{megabyte,nul}
	header-folded length-{negative,overflow,longer} chunk-size-{huge,text} version-9 not-http
	status-{0,999,204,206,304} switching error-{json-deep,control}
	content-encoding-bomb transfer-encoding-bomb cookie)
for one in "${transport[@]}" digest-header cut; do
	try "manifest $one" '1 3' 'error: ' \
		"$WBUILD" pull "127.0.0.1:$H_MAIN/manifest.$one/img:v1" "oci:{}/dest"
done
for one in ${H_FULL:+"${transport[@]}"} other-bytes longer longer-undeclared shorter cut encoded empty; do
	try "config $one" '1 3' 'error: ' \
		"$WBUILD" build --base "127.0.0.1:$H_MAIN/config.$one/img:v1" --no-stub -o "type=oci,tar=false,dest={}/dest" "$m"
done
for one in "${transport[@]}" other-bytes longer longer-undeclared shorter cut cut-always-first \
	wrong-part range-endless encoded empty; do
	try "layer $one" '1 3' 'error: ' \
		"$WBUILD" pull "127.0.0.1:$H_MAIN/layer.$one/img:v1" "oci:{}/dest"
done
H_JOBS=16 hostile_run 'bodies and headers that lie or never end'

# A minute of silence is allowed, three times; what drips may come to an end, which is a lie.
if [ "$H_FULL" ]; then
	hostile_opts seconds=600
	for one in endless-chunk-extension drip drip-headers silence; do
		for part in manifest layer; do
			try "$part $one" '1 3' 'error: ' \
				"$WBUILD" pull "127.0.0.1:$H_MAIN/$part.$one/img:v1" "oci:{}/dest"
		done
	done
	hostile_opts
	H_JOBS=8 hostile_run 'silence'
fi

redirects=(self pair none file file-host ftp gopher dict scp smb ldap data javascript metadata
	metadata-{tls,v6,v6-tls,mapped,number,hex,octal,google} link-local-v6 userinfo backslash empty
	nonsense port space long nul many file-308)
for one in "${redirects[@]}"; do
	for part in manifest layer; do
		try "$part redirected to $one" '1 3' 'error: ' \
			"$WBUILD" pull "127.0.0.1:$H_MAIN/$part.redirect-$one/img:v1" "oci:{}/dest"
	done
	[ ! "$H_FULL" ] || try "config redirected to $one" '1 3' 'error: ' \
		"$WBUILD" inspect "127.0.0.1:$H_MAIN/config.redirect-$one/img:v1"
done
for part in manifest layer; do
	try "$part leaves https" 1 'leaves https' \
		"$WBUILD" pull "127.0.0.1:$H_TLS/$part.redirect-other/img:v1" "oci:{}/dest"
done
H_JOBS=8 hostile_run 'redirects'

for one in basic-loop realm-{file,gopher,metadata,metadata-tls,relative,empty,none,long,userinfo,crlf} \
	scope-bomb many garbage open-quote unknown nothing \
	token-{none,array,empty,crlf,number,huge,deep,pairs,utf8,life,life-huge,useless,401} \
	token-{403-control,loop,elsewhere,file,endless,headers,bomb}; do
	reading "auth-$one" 1 'error: '
done
try 'a realm that leaves https' 1 'leaves https' \
	"$WBUILD" pull "127.0.0.1:$H_TLS/auth-realm-http/img:v1" "oci:{}/dest"
H_JOBS=8 hostile_run 'logins'

for one in location-{file,ftp,metadata,metadata-tls,long,empty,nonsense,control,none} post-endless-{headers,body} \
	post-{201,200,redirect-file,401} range-lies \
	put-{digest,400,416,202,endless-error,redirect-file,403-control} \
	manifest-{digest,endless,redirect-file,headers,413}; do
	try "push $one" '1 3' 'error: ' \
		"$WBUILD" push "oci:$T_TMP/img" "127.0.0.1:$H_MAIN/push.$one/img:v1"
done
# Another place may be named for an upload, as long as no login goes there.
for one in honest location-other post-redirect-other put-redirect-other manifest-redirect-other; do
	try "push $one" 0 . "$WBUILD" push "oci:$T_TMP/img" "127.0.0.1:$H_MAIN/push.$one/img:v1"
done
H_JOBS=16 hostile_run 'uploads'
hostile_end
