#!/bin/sh
# Stand-ins for the functions of libraries that libcurl.a wants and a static program goes without:
#
#	absent.sh NM LIBCURL.A OUTPUT
set -e
names=$("$1" "$2" 2>/dev/null | sed -n 's/^ *U //p' | sort -u |
	grep -E '^(gss_|GSS_|ldap_|ber_|libssh2_|RTMP_|psl_|idn2_)' || true)
{
	echo 'long wb_absent(void);'
	echo 'long wb_absent(void)'
	echo '{'
	echo '	return 0;'
	echo '}'
	for name in $names; do
		echo "long $name(void);"
		echo "long $name(void) __attribute__((alias(\"wb_absent\")));"
	done
} >"$3"
