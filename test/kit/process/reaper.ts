// Cleanup after a test process that was killed: its processes (some of them stopped), mounts and directories. A small shell waits for the
// end of its input, which comes with the end of this process in every case, and then kills and removes all that was registered. Mounts
// are removed before directories, and lazily, so that a process that still uses one does not block it.

import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { rmSync } from 'node:fs'
import { childrenOf, killAll } from './children.ts'

/** Each input line is one command and one operand. Ids of ended processes are removed, because the system reuses them. */
const script = `
pids=; dirs=; mounts=
PATH=$PATH:/usr/sbin:/sbin:/usr/bin:/bin
while read -r word what; do
  case $word in
    run) pids="$pids $what ";;
    end) pids=$(printf %s "$pids" | sed "s/ $what / /");;
    dir) dirs="$dirs
$what";;
    mount) mounts="$mounts
$what";;
  esac
done
all=
for pid in $pids; do all="$all $pid $(cat "/proc/$pid/task/$pid/children" 2>/dev/null)"; done
for pid in $all; do kill -KILL "$pid" 2>/dev/null; done
sleep 0.2
printf '%s\\n' "$mounts" | while read -r dir; do [ -n "$dir" ] && umount --lazy -- "$dir" 2>/dev/null; done
# Executors whose server ended first end soon after it, and may still keep their compiled code.
for time in 1 2 3 4 5 6; do
  printf '%s\\n' "$dirs" | while read -r dir; do [ -n "$dir" ] && rm -rf -- "$dir"; done
  sleep 0.5
done
`

let shell: ChildProcess | undefined
const processes = new Set<number>()
const directories = new Set<string>()
const mounts = new Set<string>()

function tell(line: string): void {
  if (!shell) {
    // Its own process group: Ctrl-C at the terminal ends the test and must not end the shell before it has cleaned up.
    shell = spawn('/bin/sh', ['-c', script], { stdio: ['pipe', 'ignore', 'ignore'], detached: true })
    shell.on('error', () => {})
    shell.stdin!.on('error', () => {})
    shell.unref();
    (shell.stdin as unknown as { unref(): void }).unref()
    process.once('exit', endAll)
  }
  shell.stdin!.write(`${line}\n`)
}

/** Cleanup when this process exits normally after a test that failed before it could stop its cluster. */
function endAll(): void {
  killAll([...processes].flatMap(pid => [pid, ...childrenOf(pid)]))
  for (const dir of mounts) spawnSync('umount', ['--lazy', '--', dir], { stdio: 'ignore' })
  for (const dir of directories) rmSync(dir, { recursive: true, force: true, maxRetries: 3 })
}

export function watchProcess(child: ChildProcess): void {
  const { pid } = child
  if (pid === undefined) return
  processes.add(pid)
  tell(`run ${pid}`)
  child.once('exit', () => {
    processes.delete(pid)
    tell(`end ${pid}`)
  })
}

/** Registers a directory, or a file, for removal until `forgetDirectory`. */
export function watchDirectory(dir: string): void {
  directories.add(dir)
  tell(`dir ${dir}`)
}

/** Call after the directory was removed. */
export function forgetDirectory(dir: string): void { directories.delete(dir) }

/** Registers a mount point, before or after it is mounted, until `forgetMount`. */
export function watchMount(dir: string): void {
  if (mounts.has(dir)) return
  mounts.add(dir)
  tell(`mount ${dir}`)
}

/** Call after the final unmount. */
export function forgetMount(dir: string): void { mounts.delete(dir) }
