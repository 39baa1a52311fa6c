// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The report's page in a real browser (headless Chromium) at a desktop's and a phone's width: all
 * charts are drawn, nothing sticks out, no error is on the console, and nothing is fetched.
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/journal_lab.h"
#include "tests/lib/replay_run.h"
#include "tests/lib/suite.h"
#include "tests/lib/tmpdir.h"

enum { FLOWS = 2000, EACH = 20, PAGE_MAX = 1 << 20 };

static char dir[64];
static const char *out;

/* Two frames of the page; what each is like stands in the document once both are there. */
static const char frames[] =
	"<body><pre id=said></pre><script>\n"

	"for (const width of [1280, 390]) {\n"
	"  const f = document.createElement('iframe');\n"
	"  f.style.cssText = `width:${width}px;height:3000px;border:0`; f.src = 'report.html';\n"
	"  f.onload = () => { const d = f.contentDocument, e = d.documentElement;\n"
	"    const rows = [...d.querySelectorAll('#rows tr')], box = d.getElementById('search');\n"
	"    box.value = 'no such thing'; box.oninput();\n"
	"    said.textContent += `width ${width} charts ${e.dataset.drawn} out "
	"${e.scrollWidth - e.clientWidth} rows ${rows.length > 0} shown "
	"${rows.filter(r => !r.hidden).length} fetched "
	"${f.contentWindow.performance.getEntriesByType('resource').length}\\n`; };\n"
	"  document.body.append(f);\n"
	"}\n"
	"</script></body>\n";

static void up(void)
{
	tmpdir_make(dir);
}

static void down(void)
{
	tmpdir_remove(dir);
}

static int make_report(void)
{
	static struct journal_lab l; /* large */
	char journal[96];

	(void)snprintf(journal, sizeof(journal), "%s/j", dir);
	journal_lab_open(&l, journal, 1 << 20, true);
	for (unsigned i = 0; i < FLOWS; i += EACH)
		journal_lab_send(&l, i, EACH, false, i % 100 == 0);
	journal_lab_close(&l);
	return replay_run(&out, "report -o %s/report.html %s", dir, journal);
}

START_TEST(test_self_contained)
{
	static char page[PAGE_MAX];
	char path[96];

	ck_assert_msg(make_report() == 0, "%s", out);
	(void)snprintf(path, sizeof(path), "%s/report.html", dir);
	(void)tmpdir_read(path, page, sizeof(page));
	ck_assert_ptr_nonnull(strstr(page, "</html>"));
	ck_assert_ptr_nonnull(strstr(page, "tcp ESTABLISHED"));
	ck_assert_ptr_nonnull(strstr(page, "10.2.0.11:8080"));
	ck_assert_ptr_null(strstr(page, "/*DATA*/"));
	ck_assert_ptr_null(strstr(page, " src=\"http"));
	ck_assert_ptr_null(strstr(page, "@import"));
	ck_assert_int_eq(replay_run(&out, "report %s/j", dir), 2);
}
END_TEST

START_TEST(test_browser)
{
	static char said[PAGE_MAX];
	char path[96], cmd[512];
	FILE *f;
	size_t n;

	if (system("command -v chromium >/dev/null 2>&1") != 0) {
		(void)puts("test_browser: skipped: chromium is not there: see make deps-dev");
		return;
	}
	ck_assert_msg(make_report() == 0, "%s", out);
	(void)snprintf(path, sizeof(path), "%s/frames.html", dir);
	tmpdir_write(path, frames);
	(void)snprintf(cmd, sizeof(cmd),
		       "HOME=%s timeout 60 chromium --headless=new --no-sandbox --disable-gpu "
		       "--user-data-dir=%s/chromium --allow-file-access-from-files "
		       "--enable-logging=stderr --virtual-time-budget=8000 --dump-dom "
		       "file://%s/frames.html 2>&1 | grep -E '^width|>width|CONSOLE'",
		       dir, dir, dir);
	f = popen(cmd, "r");
	ck_assert_ptr_nonnull(f);
	n = fread(said, 1, sizeof(said) - 1, f);
	said[n] = '\0';
	(void)pclose(f);
	ck_assert_msg(strstr(said, "width 1280 charts 7 out 0 rows true shown 0 fetched 0"), "%s",
		      said);
	ck_assert_msg(strstr(said, "width 390 charts 7 out 0 rows true shown 0 fetched 0"), "%s",
		      said);
	ck_assert_msg(!strstr(said, "CONSOLE"), "%s", said);
}
END_TEST

static Suite *report_suite(void)
{
	Suite *s = suite_create("report");
	TCase *tc = tcase_create("report");

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, up, down);
	tcase_add_test(tc, test_self_contained);
	tcase_add_test(tc, test_browser);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	if (sodium_init() < 0)
		return 1;
	return suite_run(report_suite());
}
