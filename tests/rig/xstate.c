/*
 * xstate: preloaded into user-mode Linux (tests/rig/guest). User-mode Linux before 6.13 keeps 2,696
 * bytes of a process's floating-point state. Where the processor has AMX the host's kernel knows
 * more, and PTRACE_SETREGSET refuses a shorter area with EFAULT (xstateregs_set() in the host's
 * arch/x86/kernel/fpu/regset.c). So the part that user-mode Linux knows is laid over the whole.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

#define XSTATE_MAX 65536

static long set_whole_xstate(long (*real)(int, ...), int pid, const struct iovec *part)
{
	/* Not on the stack: a kernel stack is 16 KiB. User-mode Linux has one thread. */
	static char state[XSTATE_MAX];
	struct iovec whole = {.iov_base = state, .iov_len = sizeof(state)};

	if (real(PTRACE_GETREGSET, pid, NT_X86_XSTATE, &whole) < 0)
		return -1;
	if (part->iov_len > whole.iov_len) {
		errno = EFAULT;
		return -1;
	}
	memcpy(state, part->iov_base, part->iov_len);
	return real(PTRACE_SETREGSET, pid, NT_X86_XSTATE, &whole);
}

long ptrace(enum __ptrace_request request, ...)
{
	static long (*real)(int, ...);
	void *address, *data;
	va_list args;
	long result;
	int pid;

	va_start(args, request);
	pid = va_arg(args, int);
	address = va_arg(args, void *);
	data = va_arg(args, void *);
	va_end(args);

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "ptrace");
	result = real((int)request, pid, address, data);
	if (result < 0 && errno == EFAULT && request == PTRACE_SETREGSET &&
	    address == (void *)NT_X86_XSTATE)
		return set_whole_xstate(real, pid, data);
	return result;
}
