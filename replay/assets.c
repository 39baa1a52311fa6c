// SPDX-License-Identifier: GPL-2.0-or-later
/* See assets.h. Paths are from the root, where the compiler runs. */
#include "replay/assets.h"

#define ASSET(name, path)                         \
	__asm__(".section .rodata\n"              \
		".global " #name "\n" #name ":\n" \
		".incbin \"" path "\"\n"          \
		".byte 0\n"                       \
		".section .text\n")

ASSET(asset_page, "replay/page/report.html");
ASSET(asset_uplot_js, "replay/vendor/uplot/uPlot.iife.min.js");
ASSET(asset_uplot_css, "replay/vendor/uplot/uPlot.min.css");
