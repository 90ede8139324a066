// SIGKILL for processes that may have ended before.

/** `pid`: of a process, or of a group as a negative number. */
export function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    // ESRCH: ended. EPERM: a program may have changed its user (sudo); only that user can kill it.
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'ESRCH' && code !== 'EPERM') throw error
  }
}
