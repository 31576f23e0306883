#!/bin/bash
# The secret guard: a build whose files, layers or documents hold a secret fails, and says where.
. "$(dirname "$0")/../lib.sh"

d=$T_TMP/truss
value="s3cret/value+of-$$"
encoded=$(printf %s "$value" | base64 -w0)
token=hf_$(printf 'abcDEF%.0s' 1 2 3 4 5 6)
printf %s "$value" >"$T_TMP/given"
caught=0 passed=0

fresh() {
	rm -rf "$d"
	mkdir -p "$d/data"
	echo 'model_name: x' >"$d/config.yaml"
	echo hello >"$d/data/here.txt"
}

build() {
	t_run "$WBUILD" build --no-stub --base scratch --secret "id=mine,src=$T_TMP/given" \
		-o "type=oci,tar=false,dest=$T_TMP/out" "$@" "$d"
}

# The guard's word for it, with a hint and without the value.
stopped() {
	t_rc 2
	t_match "$err" "$1"
	t_no_match "$out$err" "$(printf %s "$value" | sed 's/[+/]/\\&/g')|$token|${encoded:0:16}"
	[ ! -e "$T_TMP/out/index.json" ] || t_fail 'an image was written'
	caught=$((caught + 1))
}

well() {
	t_rc 0
	passed=$((passed + 1))
	rm -rf "$T_TMP/out"
}

t_case 'a value of a secret in a small file'
fresh
printf 'a line\nx = %s\n' "$value" >"$d/data/notes.txt"
build
stopped 'error: "/app/data/notes.txt" holds the value of the secret "mine", 11 bytes from its start'
t_match "$err" 'hint: .*--allow-secret "app/data/notes.txt"'

t_case 'in base64 of something longer, percent-encoded, escaped'
for text in "$(printf 'user:%s and more' "$value" | base64 -w0)" "$(printf 'us:%s' "$value" | base64)" \
	"$(jq -rn --arg v "$value" '$v | @uri')"; do
	echo "$text" >"$d/data/notes.txt"
	build
	stopped 'secret "mine"'
done

t_case 'in the middle of weights, across the border of two pieces, and at the very end'
rm "$d/data/notes.txt"
head -c 3500000 /dev/urandom >"$d/data/w.safetensors"
for at in 1000000 1048570 2097152 $((3500000 - ${#value})); do
	cp "$d/data/w.safetensors" "$T_TMP/w"
	printf %s "$value" | dd of="$d/data/w.safetensors" bs=1 seek="$at" conv=notrunc status=none
	for kind in auto none; do
		build --compression $kind
		stopped "w.safetensors\" holds the value of the secret \"mine\", $at bytes"
	done
	cp "$T_TMP/w" "$d/data/w.safetensors"
done
build
well

t_case 'in a name and in the target of a link'
fresh
: >"$d/data/a-${value//\//-}"
printf %s "${value//\//-}" >"$T_TMP/flat"
build --secret "id=flat,src=$T_TMP/flat"
stopped 'the name of .* holds the value of the secret "flat"'

t_case 'a token and a key of known forms, and how they are let through'
fresh
echo "token: $token" >"$d/data/notes.txt"
build
stopped '"/app/data/notes.txt" holds a Hugging Face token, 7 bytes from its start'
build --allow-secret app/data/other.txt
stopped 'Hugging Face token'
build --allow-secret 'app/data/n*'
well
t_match "$err" 'warning: "app/data/notes.txt" holds a secret'
build
stopped 'Hugging Face token'
echo '# wbuild: ignore[secret-content]' >>"$d/config.yaml"
build
well
sed -i '$d' "$d/config.yaml"
build
stopped 'Hugging Face token'
printf 'x: %s\n' "$value" >"$d/data/notes.txt"
echo '# wbuild: ignore[secret-content]' >>"$d/config.yaml"
build
stopped 'secret "mine"'

t_case 'a layer that was packed before the secret was known'
fresh
echo "x $value" >"$d/data/notes.txt"
t_run "$WBUILD" build --no-stub --base scratch -o "type=oci,tar=false,dest=$T_TMP/before" "$d"
well
build
stopped '"/app/data/notes.txt" holds the value of the secret "mine", 2 bytes'
build --allow-secret app/data/notes.txt
well
t_match "$err" 'all found, nothing packed'
build
stopped 'secret "mine"'

t_case 'and one that was searched is not read again'
fresh
head -c 3000000 /dev/urandom >"$d/data/w.bin"
t_run "$WBUILD" build --no-stub --base scratch -o "type=oci,tar=false,dest=$T_TMP/before" "$d"
build -v
well
t_match "$err" 'looking for secrets in layer'
build -v
well
t_no_match "$err" 'looking for secrets in layer'
t_not grep -raqF "$value" "$WBUILD_CACHE_DIR"

t_case 'labels, annotations and variables of the image'
fresh
for option in "--label k=$value" "--annotation k=a-$encoded" "--env K=$value" "--label $value=x"; do
	build $option
	stopped 'the image.s (config|manifest).* would hold the value of the secret "mine"'
done
build --env "K=$token"
stopped "the image's config.config.Env.[0-9]+ would hold a Hugging Face token"
build --label "k=$value" --allow-secret config.config.Labels.k
well

t_case 'secrets of the environment, of the config and of the registry'
fresh
for variable in HF_TOKEN BASETEN_API_KEY AZURE_STORAGE_KEY WBUILD_SECRET_own; do
	echo "x environment-$variable-1" >"$d/data/notes.txt"
	t_run env "$variable=environment-$variable-1" "$WBUILD" build --no-stub --base scratch \
		-o "type=oci,tar=false,dest=$T_TMP/out" "$d"
	stopped "the secret \"$variable\""
done
mkdir "$T_TMP/docker"
login=$(printf 'me:%s' "$value" | base64 -w0)
echo "{\"auths\": {\"127.0.0.1:9\": {\"auth\": \"$login\"}}}" >"$T_TMP/docker/config.json"
cp -r "$T_TMP/docker" "$d/data/.docker"
rm "$d/data/notes.txt"
t_run env "DOCKER_CONFIG=$T_TMP/docker" "$WBUILD" build --no-stub --base scratch --push -t 127.0.0.1:9/a:b "$d"
stopped '"/app/data/.docker/config.json" holds the value of the secret "registry password"'
build
stopped '"/app/data/.docker/config.json" holds the login of a registry|secret "mine"'

t_case 'a secret that comes by a pipe is read once'
fresh
echo "x $value" >"$d/data/notes.txt"
t_run "$WBUILD" build --no-stub --base scratch --secret id=mine,src=<(printf %s "$value") \
	-o "type=oci,tar=false,dest=$T_TMP/out" "$d"
stopped 'secret "mine"'

t_case 'files of credentials in data/ are not packed, and what they hold is known'
fresh
echo "{\"private_key\": \"$value\", \"type\": \"service_account\"}" >"$d/data/service_account.json"
echo "{\"aws_access_key_id\": \"a\", \"aws_secret_access_key\": \"$value-2\"}" >"$d/data/s3_credentials.json"
t_run "$WBUILD" build --no-stub --base scratch -o "type=local,dest=$T_TMP/plain" "$d"
well
t_eq "$(cd "$T_TMP/plain" && find . -type f | sort | xargs)" './.wbuild/manifest.json ./app/data/here.txt'
echo "x $value-2" >"$d/data/notes.txt"
t_run "$WBUILD" build --no-stub --base scratch -o "type=oci,tar=false,dest=$T_TMP/out" "$d"
stopped 'secret "s(3_credentials|ervice_account).json"'

t_case 'short values and words are not sought'
fresh
echo 'the password of 20240131 is short-1' >"$d/data/notes.txt"
for word in short-1 password 20240131; do
	printf %s $word >"$T_TMP/word"
	t_run "$WBUILD" build --no-stub --base scratch --secret "id=w,src=$T_TMP/word" \
		-o "type=oci,tar=false,dest=$T_TMP/out" "$d"
	well
done

t_case 'vocabularies, code and text that are no secrets'
fresh
python3 - "$d/data" <<'END'
import base64, json, random, sys
random.seed(1)
d = sys.argv[1]
words = ["hf_hub_download_into_the_cache_of_this_model", "sk-", "AKIA", "ghp_", "xoxb-", "BEGIN", "PRIVATE KEY"]
letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./+"
vocab = {("".join(random.choices(letters, k=random.randint(1, 24)))): i for i in range(60000)}
vocab.update({w: i for i, w in enumerate(words)})
json.dump({"model": {"vocab": vocab, "merges": [f"{w} {w}" for w in words]}}, open(f"{d}/tokenizer.json", "w"))
with open(f"{d}/qwen.tiktoken", "w") as f:
    for i in range(60000):
        f.write(base64.b64encode(random.randbytes(random.randint(1, 60))).decode() + f" {i}\n")
with open(f"{d}/notebook.ipynb", "w") as f:
    json.dump({"image/png": base64.b64encode(random.randbytes(900000)).decode()}, f)
open(f"{d}/README.md", "w").write("""Set HF_TOKEN=hf_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx or export
AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY
-----BEGIN PRIVATE KEY----- ... AccountKey=<your key> ghp_your_token_goes_here_and_nowhere_else_ok
"auths": {} sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n""")
END
build
well

echo "# counts guard: $caught leaks stopped, $passed builds let through"
