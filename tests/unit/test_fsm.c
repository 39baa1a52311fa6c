// SPDX-License-Identifier: GPL-2.0-or-later
/* The role machine: the whole table, written out a second time. docs/design.md shows it too. */
#include <check.h>
#include <string.h>

#include "syncd/role/fsm.h"
#include "tests/lib/suite.h"

#define I STATE_IDLE
#define J STATE_JOINING
#define R STATE_REPAIRING
#define S STATE_STANDBY
#define D STATE_DEGRADED
#define A STATE_ACTIVE

/* Columns: told idle, standby, active; stream, equal, differs, gap, refused, active gone,
 * superseded. */
static const enum node_state table[STATES][ROLE_EVENTS] = {
	[STATE_IDLE] = {I, J, A, I, I, I, I, I, I, I},
	[STATE_JOINING] = {I, J, A, R, S, R, R, J, J, J},
	[STATE_REPAIRING] = {I, R, A, R, S, R, R, R, J, R},
	[STATE_STANDBY] = {I, S, A, R, S, D, D, D, S, S},
	[STATE_DEGRADED] = {I, D, A, R, S, D, D, D, D, D},
	[STATE_ACTIVE] = {I, J, A, A, A, A, A, A, A, J},
};

START_TEST(test_table)
{
	for (unsigned s = 0; s < STATES; s++)
		for (unsigned e = 0; e < ROLE_EVENTS; e++)
			ck_assert_msg(
				role_next((enum node_state)s, (enum role_event)e) == table[s][e],
				"%s, %s: %s", role_state_name((enum node_state)s),
				role_event_name((enum role_event)e),
				role_state_name(role_next((enum node_state)s, (enum role_event)e)));
}
END_TEST

/* From every state each of the others can be reached, so that no node is ever stuck. */
START_TEST(test_reachable)
{
	for (unsigned from = 0; from < STATES; from++) {
		unsigned seen = 1u << from;

		for (unsigned round = 0; round < STATES; round++)
			for (unsigned s = 0; s < STATES; s++)
				for (unsigned e = 0; e < ROLE_EVENTS && seen & 1u << s; e++)
					seen |= 1u << role_next((enum node_state)s,
								(enum role_event)e);
		ck_assert_uint_eq(seen, (1u << STATES) - 1);
	}
}
END_TEST

START_TEST(test_names)
{
	for (unsigned s = 0; s < STATES; s++)
		ck_assert_str_ne(role_state_name((enum node_state)s), "unknown");
	for (unsigned e = 0; e < ROLE_EVENTS; e++)
		ck_assert_str_ne(role_event_name((enum role_event)e), "unknown");
	ck_assert_str_eq(role_state_name(STATES), "unknown");
	ck_assert_str_eq(role_event_name(ROLE_EVENTS), "unknown");
	ck_assert_str_eq(role_name(ROLE_STANDBY), "standby");
	ck_assert_str_eq(role_name((enum node_role)7), "unknown");
}
END_TEST

START_TEST(test_terms)
{
	const struct term order[] = {{0, 0}, {0, 9}, {1, 1}, {1, 2}, {2, 1}, {UINT64_MAX, 1}};
	const int n = (int)(sizeof(order) / sizeof(order[0]));

	for (int a = 0; a < n; a++)
		for (int b = 0; b < n; b++) {
			const int got = term_compare(order[a], order[b]);

			ck_assert_int_eq((got > 0) - (got < 0), (a > b) - (a < b));
		}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fsm");
	TCase *t = tcase_create("fsm");

	tcase_add_test(t, test_table);
	tcase_add_test(t, test_reachable);
	tcase_add_test(t, test_names);
	tcase_add_test(t, test_terms);
	suite_add_tcase(s, t);
	return suite_run(s);
}
