#include "wbuild_version.h"

#include <stdio.h>

int main(void)
{
	puts("wbuild " WBUILD_VERSION);
	return 0;
}
